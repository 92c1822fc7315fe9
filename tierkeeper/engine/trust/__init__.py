"""Whether catalog and tiers belong together: the epoch, the marks of tiers, tierkeeper's own objects.

Also whether the catalog may delete anything now (:mod:`permission`), and what the servers of stores were seen to be
able to do (:mod:`server_abilities`).

Not here: the check of a tier's mark around each store call (:mod:`tierkeeper.engine.mark_check`).
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
