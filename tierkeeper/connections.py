"""Connections to PostgreSQL that do not wait for ever: not for a server that is silent, not for one that is gone.

``statement_timeout`` is the server's, and a server that is stopped, or behind something that swallows its answers,
keeps no promise. TCP's own means notice a peer that is gone; a peer that is there and says nothing only a clock here.
"""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

MARGIN: Final = 10.0  # seconds beyond what the server itself may take
_POLL: Final = 0.1  # seconds between looks for Ctrl-C; psycopg's own
#: libpq's: asked after ten seconds of silence, gone fifteen later; sent bytes are acknowledged within twenty-five
KEEPALIVES: Final[Mapping[str, str]] = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


class PatientConnection(psycopg.Connection[Any]):
    """Waits at most :attr:`patience` seconds for each answer; then the connection is closed, its outcome unknown."""

    patience: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = _POLL, timeout: float | None = None) -> RV:
        """Wait for one answer, as everything that psycopg asks of a server does."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except _WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            msg = f"the server has not answered for {self.patience:g} s"
            raise psycopg.OperationalError(msg) from error
