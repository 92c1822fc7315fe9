"""Health checks of the installation, and the canaries that they rely on."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tierkeeper.engine.context import Engine
from tierkeeper.engine.operations import broker, health
from tierkeeper.values.health import Health
from tierkeeper_client.contract import Queue


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """The resource ``keeper.health``."""

    engine: Engine

    def check(self, *, tiers: bool = True) -> Health:
        """Return all vitals of the installation; ``tiers``: also probe each store."""
        return health.health(self.engine, tiers=tiers)

    def ask_broker(self) -> None:
        """Raise BrokerUnreachable unless the broker accepts a connection within ``health.probe``.

        Raises BrokerUnsupported for one that cannot be used.
        """
        settings = self.engine.settings
        broker.ask(str(settings.broker.url), seconds=settings.health.probe.total_seconds())

    def since_last_canary(self, queues: Collection[Queue] = tuple(Queue)) -> timedelta | None:
        """Return how long ago a canary last came through any of these queues; None if none ever did."""
        return health.since_last_canary(self.engine.catalog, queues)

    def canary(self, queue: Queue, *, sent_at: datetime | None) -> None:
        """Record that a canary, sent at ``sent_at`` (None: unknown), came through ``queue``."""
        health.canary(self.engine, queue, sent_at=sent_at)
