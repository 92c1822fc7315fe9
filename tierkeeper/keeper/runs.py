"""Runs: the records of sweeps and bulk jobs; approve or reject those that await an approval."""

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
    """The resource ``keeper.runs``."""

    engine: Engine

    def latest(self, *, kind: RunKind | None = None, limit: int = 20) -> list[RunView]:
        """Return the newest runs."""
        with self.engine.catalog.reading() as connection:
            return runs.latest(connection, kind=kind, limit=limit)

    def get(self, run: UUID) -> RunView:
        """Return one run. Raises RunNotFound."""
        with self.engine.catalog.reading() as connection:
            found = runs.view(connection, run)
        if found is None:
            raise RunNotFound(run=str(run))
        return found

    def approve(self, run: UUID, *, caller: Caller, reason: str, at_most: int | None = None) -> RunView:
        """Approve the deletions or findings that a run counted; RunGrew if it counts more than ``at_most`` by now."""
        return approval.approve(self.engine, run, caller=caller, reason=reason, at_most=at_most)

    def reject(self, run: UUID, *, caller: Caller, reason: str) -> RunView:
        """Reject a run that awaits an approval; artifacts that it braked are kept for ``engine.undelete_pin``."""
        return approval.reject(self.engine, run, caller=caller, reason=reason)
