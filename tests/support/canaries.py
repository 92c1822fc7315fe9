"""Canaries that come through the queues of a house without workers, so that what waits for the queues may end."""

from datetime import UTC, datetime, timedelta

from support.house import House
from tierkeeper_client.contract import Queue


def come_through(house: House, *, lag: timedelta = timedelta(0), begun: timedelta | None = timedelta(days=40)) -> None:
    """A canary comes through each queue, sent ``lag`` ago, as they have since ``begun`` (None: it is the first)."""
    for queue in Queue:
        house.keeper.health.canary(queue, sent_at=datetime.now(UTC) - lag)
    if begun is not None:
        house.sql("UPDATE heartbeats SET since = at - CAST(:begun AS interval)", begun=begun)
