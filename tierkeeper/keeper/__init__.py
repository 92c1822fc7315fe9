"""The interface for all layers above: the keeper, with one class per resource, each an attribute of it.

A resource is a thing that users name, such as ``keeper.artifacts`` or ``keeper.plans``; its methods open transactions
and streams through the engine and return frozen values; only the sums of a stored plan grow while its items are read.
A method that changes something for a user or a sweep takes ``caller`` (``Caller``). A method that only reads takes none
until the code that filters by tenant is added (ADR 19), nor does one that writes only for the house: access times, the
records of messages, canaries, and sweeps that continue the runs of others.

Not here: decisions and steps (``engine``), texts for people (``cli``), answers to messages (``tasks``).
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)

# the facade takes the resources from this package, each loaded when it is used
from tierkeeper.keeper.facade import Keeper
from tierkeeper.keeper.process import configure, current, refuse_clusters

__all__ = ["Keeper", "configure", "current", "refuse_clusters"]
