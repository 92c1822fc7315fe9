"""The policies in force: applying, removing and showing them, and the recompute of what an edit makes due sooner.

Not here: the decision of a policy about an artifact (:mod:`tierkeeper.engine.moment`).
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
