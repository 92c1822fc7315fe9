"""Runs: what the sweeps did, and what waits for an approval."""

from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import RunNotFound
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import runs
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import approval
from tierkeeper.values.runs import RunView


@dataclass(frozen=True, slots=True)
class Runs:
    """Part of :class:`tierkeeper.keeper.Keeper`."""

    engine: Engine

    def latest(self, *, kind: RunKind | None = None, limit: int = 20) -> list[RunView]:
        """Return the newest runs."""
        with self.engine.catalog.reading() as connection:
            return runs.latest(connection, kind=kind, limit=limit)

    def get(self, run: UUID) -> RunView:
        """Return one run; RunNotFound if there is none."""
        with self.engine.catalog.reading() as connection:
            found = runs.view(connection, run)
        if found is None:
            raise RunNotFound(run=str(run))
        return found

    def approve(self, run: UUID, *, caller: Caller, reason: str, at_most: int | None = None) -> RunView:
        """Let go what a run waits with; RunGrew if that is more than ``at_most`` by now."""
        return approval.approve(self.engine, run, caller=caller, reason=reason, at_most=at_most)

    def reject(self, run: UUID, *, caller: Caller, reason: str) -> RunView:
        """Leave what a run waits with as it is."""
        return approval.reject(self.engine, run, caller=caller, reason=reason)
