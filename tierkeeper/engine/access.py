"""Access times: gathered in the process and written in batches, never one row update a read."""

import time
from datetime import datetime
from threading import Lock
from uuid import UUID

from tierkeeper.base import clock
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.database import Database

_MOST, _SECONDS = 500, 30.0


class AccessLog:
    """Remembers who was read; at most ``_MOST`` artifacts or ``_SECONDS`` seconds are lost with a killed process."""

    def __init__(self, catalog: Database) -> None:
        self._catalog = catalog
        self._times: dict[UUID, datetime] = {}
        self._since = time.monotonic()
        self._lock = Lock()

    def note(self, artifact: UUID) -> None:
        """Note that an artifact was read now."""
        with self._lock:
            self._times[artifact] = clock.now()
            full = len(self._times) >= _MOST or time.monotonic() - self._since >= _SECONDS
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        with self._lock:
            times, self._times = self._times, {}
            self._since = time.monotonic()
        if times:
            self._catalog.run(lambda connection: artifacts.record_access(connection, times))
