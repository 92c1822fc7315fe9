"""Sweeps: the periodic jobs, each a run or a step of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import schedule
from tierkeeper.engine.collect import collect
from tierkeeper.engine.context import Engine
from tierkeeper.engine.converge import rotation
from tierkeeper.engine.operations import maintain
from tierkeeper.engine.policies import recompute
from tierkeeper.engine.reconcile import reconcile, verify
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.findings import Finding, ReconcileResult
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.runs import SweepResult


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The resource ``keeper.sweeps``; a ``deadline`` is a time of ``time.monotonic``."""

    engine: Engine

    def due(self, *, tenant: str | None = None) -> int:
        """Return the number of artifacts that are due now."""
        with self.engine.catalog.reading() as connection:
            return schedule.count_due(connection, tenant=tenant)

    def rotate(self, *, caller: Caller, tenant: str | None = None, databases_only: bool = False) -> UUID | None:
        """Begin a run of converge and return its id; None if nothing is due. Raises SweepAtWork."""
        kind = RunKind.CLEAN_HOT if databases_only else RunKind.ROTATE
        return rotation.rotate(self.engine, caller=caller, tenant=tenant, kind=kind)

    def converge_due(
        self, run: UUID, *, deadline: float | None = None, progress: ProgressCallback | None = None
    ) -> SweepResult:
        """Converge due artifacts, as the actor who began the run, until none is due or ``deadline`` has passed."""
        return rotation.converge_due(self.engine, run, deadline=deadline, progress=progress)

    def collect(
        self,
        *,
        caller: Caller,
        dry_run: bool = False,
        deadline: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> SweepResult:
        """Physically delete the copies that are doomed and ripe."""
        return collect.collect(self.engine, caller=caller, dry_run=dry_run, deadline=deadline, progress=progress)

    def recompute(self, *, deadline: float | None = None) -> SweepResult:
        """Finish the recomputes that policy edits began."""
        return recompute.recompute(self.engine, deadline=deadline)

    def verify(
        self,
        *,
        caller: Caller,
        filter: Filter | None = None,  # noqa: A002  the word of the CLI
        share: float | None = None,
        deadline: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> SweepResult:
        """Read copies and compare their hashes: those of matching artifacts, or a share of all, doubtful ones first."""
        return verify.verify(
            self.engine, filter_=filter, share=share, caller=caller, deadline=deadline, progress=progress
        )

    def reconcile(
        self,
        *,
        caller: Caller,
        tiers: Sequence[str] = (),
        dry_run: bool = False,
        found: Callable[[Finding], None] | None = None,
        progress: ProgressCallback | None = None,
    ) -> ReconcileResult:
        """Compare the catalog and the stores both ways; repair, and delete orphans that were seen twice."""
        return reconcile.reconcile(
            self.engine, caller=caller, tiers=tiers, dry_run=dry_run, found=found, progress=progress
        )

    def require_no_reconcile(self) -> None:
        """Raise SweepAtWork where a reconcile is at work."""
        reconcile.require_none(self.engine.catalog)

    def maintain(self, *, caller: Caller) -> SweepResult:
        """Keep the catalog itself and staging in order."""
        return maintain.maintain(self.engine, caller=caller)
