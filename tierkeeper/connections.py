"""Connections to PostgreSQL with bounded waits, both for a silent server and for one that is gone.

``statement_timeout`` is enforced by the server, so it does not help where the server is stopped, or its answers are
lost on the way. TCP keepalives detect a peer that is gone; a peer that is alive but silent needs a clock on this side.

Limits on time that a server, a database or a role has (``ALTER ROLE … SET statement_timeout``) count for nothing: a
session has those that are set here, and no other. Parameters of a session are set once connected, not in the startup
message, which poolers refuse. A pooler such as PgBouncer may lend a session to one transaction at a time, so behind one
they are set in each transaction, and nothing is prepared.
"""

import re
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.abc import RV, AdaptContext, Buffer, Params, PQGen
from psycopg.adapt import Dumper, Loader, PyFormat
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import _WaitTimeout
from psycopg.pq import Format
from psycopg.types.array import BaseListDumper, ListDumper

from tierkeeper.base.clock import Outside
from tierkeeper.base.quantities import Unusable
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
#: the limits at which a server ends a statement or a transaction, with the version that brought each, as libpq counts
_LIMITS: Final[Mapping[str, int]] = {
    "statement_timeout": 0,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "transaction_timeout": 17_00_00,
}
#: why a connection through a pooler is not used
POOLED_OPTIONS: Final = "a pooler does not pass on the URL's options"
PREPARED_AFTER: Final = 5  # times that a statement was sent; psycopg's default
_SCHEME: Final = re.compile(r"^postgres(ql)?(\+\w+)?:(//)?")
_VALUE: Final = re.compile(r"(?<==)[^&]+")  # of an option, in which libpq would take no raw '='
_NO_OPTION: Final = re.compile(r'invalid URI query parameter: "([A-Za-z0-9_.-]+)"')


def parameters(url: str, *, connect_timeout: int) -> dict[str, str]:
    """Return libpq's parameters from a PostgreSQL URL, with our own where it has none.

    Raises Unusable, which shows no value of the URL: what libpq says may be a part of a password.
    """
    try:
        place, mark, options = _SCHEME.sub("postgresql://", url, count=1).partition("?")
        given = conninfo_to_dict(place + mark + _VALUE.sub(lambda value: value[0].replace("=", "%3D"), options))
    except psycopg.ProgrammingError as error:
        unknown = _NO_OPTION.search(str(error))
        raise Unusable(
            f"libpq knows no option {unknown[1]}." if unknown else "libpq cannot read the URL.",
            "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE.",
        ) from None
    own = {**KEEPALIVES, "connect_timeout": str(connect_timeout), "application_name": "tierkeeper"}
    return {**own, **{name: str(value) for name, value in given.items()}}


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


class IdsDumper(Dumper):
    """Writes a list of ids, or nulls, as PostgreSQL's binary ``uuid[]``."""

    format = Format.BINARY
    oid = psycopg.adapters.types["uuid"].array_oid
    _head: Final = struct.Struct("!iiIii")  # dimensions, has nulls, type of an item, items, first index
    _item: Final = struct.pack("!i", 16)
    _null: Final = struct.pack("!i", -1)

    def dump(self, obj: list[UUID | None]) -> Buffer:
        """Return the array."""
        head = self._head.pack(1, None in obj, psycopg.adapters.types["uuid"].oid, len(obj), 1)
        return head + b"".join([self._null if each is None else self._item + each.bytes for each in obj])


class ArrayDumper(ListDumper):
    """Writes lists as the driver does, but those of ids by :class:`IdsDumper`.

    A batch of any kind sends its ids with each of its statements: as text, each id takes five times as long.
    """

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper | IdsDumper:  # type: ignore[override]  # noqa: A002  psycopg's own
        """Return the dumper for this list."""
        kinds = {*map(type, obj)}
        if format is PyFormat.AUTO and UUID in kinds and kinds <= {UUID, type(None)}:  # else text is asked for
            return IdsDumper(list)
        return super().upgrade(obj, format)


class PlannedCursor(psycopg.Cursor[Any]):
    """A cursor whose next statement is not prepared if it is to be ``planned_anew``, for the values that it has."""

    planned_anew: bool = False

    def execute(self, query: Any, params: Params | None = None, *, prepare: bool | None = None, **more: Any) -> Self:  # noqa: ANN401  psycopg's own
        """Execute as psycopg does."""
        return super().execute(query, params, prepare=False if self.planned_anew else prepare, **more)


class StreamCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server. SQLAlchemy does not close one whose connection was cut, and it has ended with that."""

    def __del__(self, *given: Any) -> None:  # noqa: ANN401  psycopg's own
        """Warn as psycopg does of one that is still open."""
        if not self.connection.closed:
            super().__del__(*given)


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits ``patience`` seconds for each answer, then closes; the outcome is then unknown.

    ``patience`` None waits without limit. Times are read by :class:`TimeLoader`, lists written by :class:`ArrayDumper`.
    ``each_time`` has the statements that
    set the session's parameters in each transaction, None where the session keeps them (:meth:`set_up`).
    """

    patience: float | None = None
    each_time: sql.Composed | None = None

    @classmethod
    def connect(cls, *args: Any, **options: Any) -> Self:  # noqa: ANN401  psycopg's own
        """Connect as psycopg does."""
        opened = super().connect(*args, **options)
        opened.adapters.register_loader("timestamptz", TimeLoader)
        opened.adapters.register_dumper(list, ArrayDumper)
        opened.cursor_factory = PlannedCursor
        opened.server_cursor_factory = StreamCursor
        return opened

    def set_up(self, values: Mapping[str, str]) -> None:
        """Set parameters of the session, in one round trip; where a pooler lends it out, leave that to ``each_time``.

        A limit on time that is not among ``values`` is switched off, whatever the role or the database has.
        A pooler gives out a process id of its own, where a server gives out that of the session. Raises
        OperationalError behind a pooler where the URL has ``options``, which would be lost on some of the ways to it.
        """
        values = {name: "0" for name, since in _LIMITS.items() if self.info.server_version >= since} | dict(values)
        begun = self.autocommit
        self.autocommit = True
        one = sql.SQL("set_config({}, {}, false)")
        settings = sql.SQL(", ").join(one.format(name, value) for name, value in values.items())
        asked = sql.SQL("SELECT {} WHERE pg_backend_pid() = {}").format(settings, self.info.backend_pid)
        kept = self.execute(asked, prepare=False).fetchone() is not None
        self.autocommit = begun
        if kept:
            return
        if self.pgconn.options:
            self.close()
            raise psycopg.OperationalError(POOLED_OPTIONS)
        self.prepare_threshold = None
        one = sql.SQL("SET LOCAL {} = {}")  # no query, which would take the transaction's snapshot
        self.each_time = sql.SQL("; ").join(one.format(sql.Identifier(n), value) for n, value in values.items())

    def prepares(self, allowed: bool) -> None:  # noqa: FBT001  as psycopg's own switches
        """Let what is sent again and again be prepared, or, as always where a pooler lends sessions, not."""
        self.prepare_threshold = PREPARED_AFTER if allowed and self.each_time is None else None

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
