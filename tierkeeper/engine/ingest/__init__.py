"""Ingest: content is read, hashed, written into its first tiers and committed as a version.

The policy decides into which tiers a new artifact is written first; converge makes all later copies.
"""
