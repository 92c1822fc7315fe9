"""Deletes bytes: decides whether a doomed copy may be deleted, and deletes it.

No other room deletes copies that rows know. Bytes without a row are reconcile's.
"""
