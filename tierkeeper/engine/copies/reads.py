"""How long one look at many copies reads those that have to be: without a pin, or with one that no HEAD confirms.

None begins after a minute, and none goes on for longer than half of what a task may take, so that a task that looks is
never ended amidst the same copies each time. What was left unread is not known: it is kept, and a later look reads it.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.stores.errors import StoreTransient

_BEGINS: Final = 60.0  # seconds of a look after which no other copy is read
_SHARE: Final = 0.5  # of the broker's visibility time-out, in which a task has to be done


class Unread(StoreTransient):
    """Tier {tier}: {location} was not read whole: no time was left, or it would be thawed for it. Look again later."""


class Reads:
    """The reads of one look, from when it began."""

    def __init__(self, engine: Engine) -> None:
        began = time.monotonic()
        self._begins_until = began + _BEGINS
        self._goes_on_until = began + engine.settings.broker.visibility_timeout.total_seconds() * _SHARE
        self._begun: set[UUID] = set()  # what is wrong is read once more

    def begun(self, copy: PlacementRow) -> Callable[[], None]:
        """Begin to read a copy; return what to call at each piece. Both raise Unread where the time is over."""
        if copy.id not in self._begun:
            self._require(copy, self._begins_until)
            self._begun.add(copy.id)
        return partial(self._require, copy, self._goes_on_until)

    def _require(self, copy: PlacementRow, until: float) -> None:
        if time.monotonic() > until:
            raise Unread(tier=copy.tier, location=copy.location)
