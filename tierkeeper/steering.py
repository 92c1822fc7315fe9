"""The operator's part of the facade: what is stuck, stopped, planned or wrong, and what to do about it.

Reached as ``keeper.steer``; everything that stores, reads and moves is on the keeper itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tierkeeper.base.findings import Finding, ReconcileResult
from tierkeeper.base.health import Health
from tierkeeper.base.parking import Stuck, StuckFilter, StuckResult
from tierkeeper.engine import health as vital
from tierkeeper.engine import parked as parking
from tierkeeper.engine import reconcile as reconciling
from tierkeeper.engine.context import Engine
from tierkeeper.engine.deliveries import Deliveries
from tierkeeper_client.contract import Queue


@dataclass(frozen=True, slots=True)
class Steering:
    """What an operator sees and decides."""

    engine: Engine

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

    @property
    def deliveries(self) -> Deliveries:
        """What becomes of messages that do not end well at once."""
        return Deliveries(self.engine)
