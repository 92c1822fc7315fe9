"""Measurements of this process, as prometheus-client counts them; an exporter reads :data:`REGISTRY`.

A name carries its unit, labels say of what. Each process counts for itself, and a forked child starts with its parent's
counts. With ``PROMETHEUS_MULTIPROC_DIR`` in a worker's environment each process writes to a file of its own there, and
``prometheus_client.multiprocess.MultiProcessCollector`` adds them up. Safe to use from many threads.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX: Final = "tierkeeper"
_SECONDS: Final = (0.05, 0.25, 1, 5, 15, 60, 300, 1800, 3600)  # from a small verb to the longest task

#: our own registry, because Flower and applications that embed the keeper use the library's default one
REGISTRY: Final = CollectorRegistry()

TASK_SECONDS: Final = Histogram(
    "task_seconds",
    "How long tasks took, by their outcome.",
    ("task", "outcome"),
    namespace=_PREFIX,
    registry=REGISTRY,
    buckets=_SECONDS,
)
DELIVERIES_PARKED: Final = Counter(
    "deliveries_parked", "Messages that were parked.", ("task",), namespace=_PREFIX, registry=REGISTRY
)
MESSAGES_REFUSED: Final = Counter(
    "messages_refused",
    "Messages that were refused by shape, size or signature.",
    ("task",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
COPIES_FAILED: Final = Counter(
    "copies_failed",
    "Copies that a store did not take or give, by its error.",
    ("tier", "error"),
    namespace=_PREFIX,
    registry=REGISTRY,
)
HEALTH: Final = Gauge(
    "health",
    "The vitals of the last look at the installation's health, each in its unit; NaN: there is no value.",
    ("vital", "unit"),
    namespace=_PREFIX,
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
