"""Connections to PostgreSQL with bounded waits, both for a silent server and for one that is gone.

``statement_timeout`` is enforced by the server, so it does not help where the server is stopped, or its answers are
lost on the way. TCP keepalives detect a peer that is gone; a peer that is alive but silent needs a clock on this side.
"""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

MARGIN: Final = 10.0  # seconds to wait beyond the server's own ``statement_timeout``
_POLL: Final = 0.1  # seconds between checks for Ctrl-C; psycopg's default
#: libpq options: probe after 10 s of silence, lost 15 s later; sent bytes must be acknowledged within 25 s
KEEPALIVES: Final[Mapping[str, str]] = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits ``patience`` seconds for each answer, then closes; the outcome is then unknown.

    ``patience`` None waits without limit.
    """

    patience: float | None = None

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
