"""Stuck artifacts and messages: select, retry and skip."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.operations import parked
from tierkeeper.values.parking import Stuck, StuckFilter, StuckResult


@dataclass(frozen=True, slots=True)
class ParkedWork:
    """The resource ``keeper.parked``."""

    engine: Engine

    def select(self, filter: StuckFilter) -> Iterator[Stuck]:  # noqa: A002  the word of the CLI
        """Yield the matching artifacts that are parked, and messages that are parked or wait, dead letters too."""
        return parked.select(self.engine.catalog, filter)

    def raw(self, id_: UUID) -> bytes:
        """Return the beginning of a dead letter, as it came."""
        return parked.raw(self.engine.catalog, id_)

    def retry(self, filter: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as select
        """Make the matching items due now, with their attempts reset."""
        return parked.retry(self.engine, filter, caller=caller, dry_run=dry_run)

    def skip(self, filter: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as select
        """Leave the matching items as they are until something changes; never deletes."""
        return parked.skip(self.engine, filter, caller=caller, dry_run=dry_run)
