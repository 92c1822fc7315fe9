"""The operator's part of the facade: what is stuck, stopped, planned or wrong, and what to do about it.

Reached as ``keeper.steer``; everything that stores, reads and moves is on the keeper itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tierkeeper.base.findings import Finding, ReconcileResult
from tierkeeper.base.health import Health
from tierkeeper.base.parking import Stuck, StuckFilter, StuckResult
from tierkeeper.base.values import AppliedItem, Call, DeletesView, PlanItem, PlanView, RunView, VerbResult
from tierkeeper.catalog import plans, switches
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.engine import apply as applying
from tierkeeper.engine import approval, bulk, planstore, verbs
from tierkeeper.engine import health as vital
from tierkeeper.engine import parked as parking
from tierkeeper.engine import plan as planning
from tierkeeper.engine import reconcile as reconciling
from tierkeeper.engine.context import Engine
from tierkeeper.engine.deliveries import Deliveries
from tierkeeper.engine.plan import View
from tierkeeper.engine.planstore import Summary
from tierkeeper.engine.recovery import Recovery
from tierkeeper_client.contract import Queue, VerbArgs

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Steering:
    """What an operator sees and decides."""

    engine: Engine

    def intend(self, args: VerbArgs, *, call: Call) -> list[VerbResult]:
        """Write a verb's wish into the catalog and leave the rest to the next sweep."""
        return verbs.intend(self.engine, args, call=call)

    def parked(self, filter: StuckFilter) -> Iterator[Stuck]:  # noqa: A002  the word of the CLI
        """Yield what is parked, or waits: artifacts, and messages."""
        return parking.select(self.engine, filter)

    def retry_parked(self, filter: StuckFilter, *, actor: str, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as parked
        """Make it due now, as if it had never been tried."""
        return parking.retry(self.engine, filter, actor=actor, dry_run=dry_run)

    def skip_parked(self, filter: StuckFilter, *, actor: str, dry_run: bool = False) -> list[StuckResult]:  # noqa: A002  as parked
        """Leave it as it is until something changes; never deletes."""
        return parking.skip(self.engine, filter, actor=actor, dry_run=dry_run)

    def health(self, *, tiers: bool = True) -> Health:
        """Say whether the work gets done, and how late; ``tiers``: ask the stores too."""
        return vital.health(self.engine, tiers=tiers)

    def quiet(self) -> timedelta | None:
        """Say how long ago a canary last came through any queue; None if none ever did."""
        return vital.quiet(self.engine)

    def canary(self, queue: Queue, *, sent_at: datetime | None) -> None:
        """Note that a message came through ``queue``."""
        vital.canary(self.engine, queue, sent_at=sent_at)

    def reconcile(
        self,
        *,
        actor: str = "beat",
        tiers: Sequence[str] = (),
        dry_run: bool = False,
        found: Callable[[Finding], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> ReconcileResult:
        """Compare the catalog and the stores both ways; repair, and delete orphans that were seen twice."""
        return reconciling.reconcile(
            self.engine, actor=actor, tiers=tiers, dry_run=dry_run, found=found, progress=progress
        )

    def reconcile_at_work(self) -> UUID | None:
        """Return the reconcile that is at work, if one is."""
        return reconciling.busy(self.engine)

    def approve(self, run: UUID, *, by: str, reason: str, at_most: int | None = None) -> RunView:
        """Let go what a run waits with; RunGrew if that is more than ``at_most`` by now."""
        return approval.approve(self.engine, run, by=by, reason=reason, at_most=at_most)

    def reject(self, run: UUID, *, by: str, reason: str) -> RunView:
        """Leave what a run waits with as it is."""
        return approval.reject(self.engine, run, by=by, reason=reason)

    def view(
        self, *, tenant: str | None, as_of: datetime | None, policies: str | None = None, source: str = ""
    ) -> View:
        """Return how a plan is to look at things; ``policies``: YAML or JSON that is not active yet."""
        return planning.view_of(self.engine, tenant=tenant, as_of=as_of, text=policies, source=source)

    def summary(self) -> Summary:
        """Return an empty sum for a plan."""
        return Summary()

    def plan(self, view: View, summary: Summary, *, limit: int | None = None) -> Iterator[PlanItem]:
        """Yield what a run would do in that view, over everything, adding it up in ``summary``."""
        return planstore.summed(self.engine, view, summary, limit=limit)

    def sums(self, view: View, summary: Summary) -> dict[str, Any]:
        """Return what a plan that was taken to its end comes to."""
        with self.engine.catalog.reading() as connection:
            return summary.told(connection, self.engine, view)

    def store_plan(self, view: View, *, by: str, expires: timedelta, progress: Progress | None = None) -> PlanView:
        """Make a plan and keep it for an apply."""
        return planstore.store(self.engine, view, by=by, expires=expires, progress=progress)

    def plans(self, *, limit: int = 20) -> list[PlanView]:
        """Return the newest stored plans."""
        with self.engine.catalog.reading() as connection:
            return plans.latest(connection, limit=limit)

    def apply_plan(
        self, plan: UUID, *, by: str, dry_run: bool = False, progress: Progress | None = None
    ) -> Iterator[AppliedItem]:
        """Do a stored plan's items that are as they were; yield what becomes of each."""
        return applying.apply(self.engine, plan, by=by, dry_run=dry_run, progress=progress)

    def deletes(self) -> DeletesView:
        """Say whether anything may be deleted physically."""
        with self.engine.catalog.reading() as connection:
            return switches.deletes(connection)

    def switch_deletes(self, *, enabled: bool, by: str, reason: str) -> DeletesView:
        """Let collect and reconcile delete, or not."""
        self.engine.catalog.run(
            lambda c: switches.set_deletes(c, enabled=enabled, by=by, reason=reason, now=catalog_now(c))
        )
        return self.deletes()

    def allow_purge(self, counts: Mapping[str, int], *, described: str, samples: Sequence[str], by: str) -> None:
        """Raise BrakeOn where a person is about to purge more of a tenant than the brake lets go at once."""
        bulk.allow(self.engine, counts, described=described, samples=samples, by=by)

    @property
    def recovery(self) -> Recovery:
        """What is done about the catalog as a whole: dump, rebuild, examine, accept a restore."""
        return Recovery(self.engine)

    @property
    def deliveries(self) -> Deliveries:
        """What becomes of messages that do not end well at once."""
        return Deliveries(self.engine)
