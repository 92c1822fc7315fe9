"""Plans: what a run would do, item by item; previewed, stored, and applied to the items that have not changed.

This package decides and copies nothing itself: decisions come from :mod:`tierkeeper.engine.moment`, and converge
carries them out.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
