"""Measurements of this process: counts, durations, sizes; kept as totals, and handed to whoever subscribed."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tierkeeper.base import log

Subscriber = Callable[["Measurement"], None]

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One observation; the name carries its unit (``task_seconds``, ``copied_bytes``), labels say of what."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Total:
    """All observations of one name and its labels since the process began."""

    count: int
    sum: float
    max: float


class Metrics:
    """A registry. Safe to use from many threads; one instance, :data:`METRICS`, serves the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[tuple[str, tuple[tuple[str, str], ...]], Total] = {}
        self._subscribers: list[Subscriber] = []

    def observe(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Record ``value``. A subscriber that fails is logged; the work that was measured goes on."""
        seen = Measurement(name, value, tuple(sorted(labels.items())))
        with self._lock:
            old = self._totals.get((name, seen.labels), Total(0, 0.0, value))
            self._totals[name, seen.labels] = Total(old.count + 1, old.sum + value, max(old.max, value))
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            try:
                subscriber(seen)
            except Exception:  # noqa: BLE001  an exporter's fault must not fail a task
                _log.warning("metrics subscriber failed", metric=name, exc_info=True)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Hand every later measurement to ``subscriber``, in the observing thread; return what ends that."""
        with self._lock:
            self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def totals(self) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], Total]:
        """Return the totals by name and labels."""
        with self._lock:
            return dict(self._totals)


METRICS = Metrics()
observe = METRICS.observe
subscribe = METRICS.subscribe
