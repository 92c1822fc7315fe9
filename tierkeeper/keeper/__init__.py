"""What everything above calls: the keeper, and one class per resource, each an attribute of it.

A resource is what a user asks for, such as ``keeper.artifacts`` or ``keeper.plans``; its calls open transactions and
streams by the engine and return frozen values. Whatever changes something takes ``caller``: who asks (``Caller``).
What only looks takes none until the code that filters by tenant comes with it (ADR 19).

Not here: decisions and steps (``engine``), texts for people (``cli``), how messages are answered (``tasks``).
"""

from tierkeeper.keeper.facade import Keeper
from tierkeeper.keeper.process import configure, current

__all__ = ["Keeper", "configure", "current"]
