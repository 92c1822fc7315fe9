"""Ingest: content is read, hashed, written into its first tiers and committed as a version.

The policy decides into which tiers a new artifact is written first; converge makes all later copies.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
