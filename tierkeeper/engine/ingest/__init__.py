"""The way in: content is read, hashed, written into its first tiers and committed as a version.

Where a new artifact goes first is decided by its policy; all later copies are converge's.
"""
