"""The time budget of one check of many copies for whole reads: of copies without a pin, or one that no HEAD confirms.

No read begins after a minute, and none continues past half of the time that a task may take, so that the task is not
killed in the middle of the same copies each time. A copy that was not read is unknown: it is kept, and a later check
reads it.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.stores.errors import StoreTransient

_BEGINS: Final = 60.0  # seconds after which no further read begins
_SHARE: Final = 0.5  # of the broker's visibility timeout, within which a task has to end


class Unread(StoreTransient):
    """Tier {tier}: {location} was not read whole: no time was left, or it would be thawed for it. Look again later."""


class Reads:
    """The budget of one check of many copies; its time runs from construction."""

    def __init__(self, engine: Engine) -> None:
        began = time.monotonic()
        self._begins_until = began + _BEGINS
        self._goes_on_until = began + engine.settings.broker.visibility_timeout.total_seconds() * _SHARE
        self._begun: set[UUID] = set()  # a wrong copy is read a second time, which may begin later

    def begun(self, copy: PlacementRow) -> Callable[[], None]:
        """Begin to read a copy; return a function to call at each piece. Both raise Unread once the time is over."""
        if copy.id not in self._begun:
            self._require(copy, self._begins_until)
            self._begun.add(copy.id)
        return partial(self._require, copy, self._goes_on_until)

    def _require(self, copy: PlacementRow, until: float) -> None:
        if time.monotonic() > until:
            raise Unread(tier=copy.tier, location=copy.location)
