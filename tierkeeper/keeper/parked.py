"""What is stuck, artifacts and messages: found, tried again, or left."""

from collections.abc import Iterator
from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.operations import parked
from tierkeeper.values.parking import Stuck, StuckFilter, StuckResult


@dataclass(frozen=True, slots=True)
class ParkedWork:
    """Part of :class:`tierkeeper.keeper.Keeper`."""

    engine: Engine

    def select(self, filter: StuckFilter) -> Iterator[Stuck]:  # noqa: A002  the word of the CLI
        """Yield what is parked, or waits: artifacts, and messages."""
        return parked.select(self.engine, filter)

    def retry(self, filter: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as select
        """Make it due now, as if it had never been tried."""
        return parked.retry(self.engine, filter, caller=caller, dry_run=dry_run)

    def skip(self, filter: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as select
        """Leave it as it is until something changes; never deletes."""
        return parked.skip(self.engine, filter, caller=caller, dry_run=dry_run)
