"""Artifacts for readers: opened and verified, shown and explained, their access times gathered.

How the bytes of one copy are opened is :mod:`tierkeeper.engine.copies.opener`.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
