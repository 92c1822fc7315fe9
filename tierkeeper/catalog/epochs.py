"""The catalog's epoch, its PostgreSQL server, and its trust: whether it is known to be restored from a copy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import CatalogTrust, EpochRaised, RaisedEpoch, TrustPayload
from tierkeeper.catalog import events, switches
from tierkeeper.catalog.database import catalog_now

#: the subject of events about the catalog itself
CATALOG = UUID(int=0)
TRUSTED, RESTORED, REBUILDING = "trusted", "restored", "rebuilding"

# a managed server may forbid each of these; the timeline of the write-ahead log is there at once after a promotion,
# that of the last checkpoint only after the next
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int"
_DATABASE = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """A PostgreSQL server, timeline and database; None where the server forbids the query."""

    system: str | None
    timeline: int | None
    database: int | None

    def differs(self, current: "ServerIdentity") -> str | None:
        """Return in words how ``current`` differs from this one, None if it does not as far as both are known."""
        for what, noted, now in (
            ("server", self.system, current.system),
            ("timeline", self.timeline, current.timeline),
            ("database", self.database, current.database),
        ):
            if noted is not None and now is not None and noted != now:
                return f"its PostgreSQL {what} is {now}, and was {noted} when the epoch was last raised"
        return None


@dataclass(frozen=True, slots=True)
class Epoch:
    """The catalog's epoch: its number, the mark of its twin in the coldest tier, and its line.

    A line is begun by ``init``, by a rebuild and by an accepted restore; events are exported apart for each.
    """

    number: int
    mark: UUID | None = None
    line: UUID | None = None
    server: ServerIdentity | None = None


@dataclass(frozen=True, slots=True)
class CatalogStanding:
    """The catalog's epoch and trust; ``trust`` is TRUSTED, RESTORED or REBUILDING, with its reason."""

    epoch: Epoch
    trust: str
    reason: str


def lock(connection: sa.Connection) -> None:
    """Take the lock for changes of epoch and trust until this transaction ends."""
    switches.read(connection, switches.EPOCH, lock=True)


def standing(connection: sa.Connection) -> CatalogStanding:
    """Return the catalog's epoch and trust."""
    rows = switches.read_together(connection, switches.EPOCH, switches.TRUST)
    epoch, trust = rows.get(switches.EPOCH), rows.get(switches.TRUST)
    return CatalogStanding(
        epoch=_parsed(0 if epoch is None else epoch.value),
        trust=TRUSTED if trust is None else str(trust.value),
        reason="" if trust is None else trust.reason,
    )


def line(connection: sa.Connection) -> UUID:
    """Return the line of the catalog, for which its events are exported; zero in one that has none yet."""
    return standing(connection).epoch.line or UUID(int=0)


def noted_at(connection: sa.Connection) -> datetime:
    """Return when the catalog's trust was last written; now, where it never was."""
    trust = switches.read(connection, switches.TRUST)
    return catalog_now(connection) if trust is None else trust.at


def server(connection: sa.Connection) -> ServerIdentity:
    """Return the identity of the connected server."""
    whole = _asked(connection, f"SELECT ({_SYSTEM}), ({_TIMELINE}), ({_DATABASE})")
    if whole is not None:
        return ServerIdentity(*whole)
    parts = [_asked(connection, question) for question in (_SYSTEM, _TIMELINE, _DATABASE)]
    return ServerIdentity(*(None if part is None else part[0] for part in parts))


def distrusted(connection: sa.Connection) -> str | None:
    """Return why this catalog may be an older copy of itself, None if nothing says so. Cheap: asks no store."""
    here = standing(connection)
    if here.trust != TRUSTED:
        return here.reason
    return None if here.epoch.server is None else here.epoch.server.differs(server(connection))


def raise_to(connection: sa.Connection, epoch: Epoch, *, by: str, reason: str, now: datetime) -> None:
    """Write the epoch, whose row is locked, with its event."""
    value = {
        "number": epoch.number,
        "mark": _text(epoch.mark),
        "line": _text(epoch.line),
        "server": None if epoch.server is None else asdict(epoch.server),
    }
    switches.write(connection, switches.EPOCH, value, by=by, reason=reason, now=now)
    payload = EpochRaised(after=RaisedEpoch(epoch=epoch.number, reason=reason))
    events.append_next(connection, CATALOG, payload, by=by, at=now)


def set_trust(
    connection: sa.Connection, trust: str, *, by: str, reason: str, now: datetime, event: type[TrustPayload]
) -> None:
    """Write the catalog's trust, with its event; the epoch's row is locked."""
    switches.write(connection, switches.TRUST, trust, by=by, reason=reason, now=now)
    payload = event(after=CatalogTrust(trust=trust, reason=reason))
    events.append_next(connection, CATALOG, payload, by=by, at=now)


def _asked(connection: sa.Connection, question: str) -> Sequence[Any] | None:
    try:
        with connection.begin_nested():
            return connection.execute(sa.text(question)).one()
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None


def _parsed(value: Any) -> Epoch:  # noqa: ANN401  JSON; a new catalog has a bare number
    if not isinstance(value, dict):
        return Epoch(int(value))
    noted = value.get("server")
    return Epoch(
        number=int(value["number"]),
        mark=UUID(value["mark"]) if value.get("mark") else None,
        line=UUID(value["line"]) if value.get("line") else None,
        server=None if noted is None else ServerIdentity(**noted),
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
