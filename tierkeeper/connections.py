"""Connections to PostgreSQL with bounded waits, both for a silent server and for one that is gone.

``statement_timeout`` is enforced by the server, so it does not help where the server is stopped, or its answers are
lost on the way. TCP keepalives detect a peer that is gone; a peer that is alive but silent needs a clock on this side.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self

import psycopg
from psycopg.abc import RV, AdaptContext, Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.errors import _WaitTimeout
from psycopg.pq import Format

from tierkeeper.base.clock import Outside
from tierkeeper_client.times import END_YEAR, FIRST_YEAR

MARGIN: Final = 10.0  # seconds to wait beyond the server's own ``statement_timeout``
_POLL: Final = 0.1  # seconds between checks for Ctrl-C; psycopg's default
#: libpq options: probe after 10 s of silence, lost 15 s later; sent bytes must be acknowledged within 25 s
KEEPALIVES: Final[Mapping[str, str]] = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


class TimeLoader(Loader):
    """Reads any time of PostgreSQL's: one outside the gate, which a datetime may not hold, as :class:`Outside`.

    The driver's own raises an error for such a value, so that one of them would make a whole result unreadable.
    """

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        reading = psycopg.adapters.get_loader(oid, Format.TEXT)
        assert reading is not None  # noqa: S101  timestamptz is one of the driver's own types
        self._read = reading(oid, context).load

    def load(self, data: Buffer) -> datetime:
        """Return the time."""
        try:
            read: datetime = self._read(data)
        except psycopg.DataError:  # infinite, before Christ, or beyond the year 9999
            text = bytes(data)
            return Outside.beginning() if text.startswith(b"-") or text.endswith(b"BC") else Outside.end()
        if read.year < FIRST_YEAR:
            return Outside.beginning()
        return read if read.year < END_YEAR else Outside.end()


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits ``patience`` seconds for each answer, then closes; the outcome is then unknown.

    ``patience`` None waits without limit. Times are read by :class:`TimeLoader`.
    """

    patience: float | None = None

    @classmethod
    def connect(cls, *args: Any, **options: Any) -> Self:  # noqa: ANN401  psycopg's own
        """Connect as psycopg does."""
        opened = super().connect(*args, **options)
        opened.adapters.register_loader("timestamptz", TimeLoader)
        return opened

    def wait(self, gen: PQGen[RV], interval: float = _POLL, timeout: float | None = None) -> RV:
        """Wait for one answer (psycopg's only way to wait); raises OperationalError after ``patience`` seconds."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except _WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            msg = f"the server has not answered for {self.patience:g} s"
            raise psycopg.OperationalError(msg) from error
