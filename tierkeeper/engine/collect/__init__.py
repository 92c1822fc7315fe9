"""Deletion of bytes: decides whether a doomed copy may be deleted, and deletes it.

No other package deletes objects that a placement row names. Objects without a row are deleted by reconcile.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
