"""Compares catalog and stores: by listing (reconcile), and by reading bytes again (verify); deletes old orphans.

Not here: bad copies are recorded by :mod:`tierkeeper.engine.copies.damage`, and converge copies the content again.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
