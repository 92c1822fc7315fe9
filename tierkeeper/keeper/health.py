"""Health: whether the work gets done, and how late."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tierkeeper.engine.context import Engine
from tierkeeper.engine.operations import health
from tierkeeper.values.health import Health
from tierkeeper_client.contract import Queue


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """Part of :class:`tierkeeper.keeper.Keeper`."""

    engine: Engine

    def check(self, *, tiers: bool = True) -> Health:
        """Say whether the work gets done, and how late; ``tiers``: ask the stores too."""
        return health.health(self.engine, tiers=tiers)

    def quiet(self) -> timedelta | None:
        """Say how long ago a canary last came through any queue; None if none ever did."""
        return health.quiet(self.engine)

    def canary(self, queue: Queue, *, sent_at: datetime | None) -> None:
        """Note that a message came through ``queue``."""
        health.canary(self.engine, queue, sent_at=sent_at)
