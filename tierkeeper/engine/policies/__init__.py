"""Policies as they are in force: applied, removed, and what an edit makes due sooner.

What a policy decides about an artifact is :mod:`tierkeeper.engine.moment`.
"""
