"""The outcome of a transaction whose COMMIT was not answered: PostgreSQL is asked for it (ADR 20).

The transaction's id is read with BEGIN, in the same round trip. What PostgreSQL says about that id is believed only
where the id cannot have been given to another transaction since. An id is in the log only once its transaction writes:
after a crash, and in an older copy of the server, PostgreSQL gives the same id out again. So it must be the same
server and timeline, which was not started again, and whose last checkpoint is older than the transaction: recovery
after a crash ends with a checkpoint.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import generators
from psycopg.pq import ExecStatus

from tierkeeper.base import log
from tierkeeper.connections import PatientConnection
from tierkeeper_client import texts

_log = log.get(__name__)

#: the key of a pooled connection's lifetime; None there: its server does not tell
_KNOWN: Final = "lifetime"
ISOLATION: Final = "READ COMMITTED"  # of every transaction, whoever sends its BEGIN
_BEGIN_AND_TELL: Final = (
    f"BEGIN ISOLATION LEVEL {ISOLATION}; SELECT pg_current_xact_id(), pg_current_wal_flush_lsn()".encode()
)
_STARTED: Final = "CAST(extract(epoch FROM pg_postmaster_start_time()) AS text)"
# what the question will need is asked for too: a server that forbids it is not asked for ids
_LIFETIME: Final = f"SELECT events_cluster(), {_STARTED} FROM pg_control_checkpoint(), pg_xact_status('3')".encode()
#: behind a pooler the next transaction may be on another server, so each asks for its own
_BEGIN_AND_TELL_WHERE: Final = (
    f"BEGIN ISOLATION LEVEL {ISOLATION}; SELECT pg_current_xact_id(), pg_current_wal_flush_lsn(), events_cluster(),"
    f" {_STARTED} FROM pg_control_checkpoint(), pg_xact_status('3')".encode()
)
# what was flushed survives a crash, so the checkpoint that ends the recovery lies behind it
_STATUS: Final = sa.text(f"""
    SELECT events_cluster(), {_STARTED}, pg_xact_status(CAST(:xid AS xid8)) AS status,
        checkpoint_lsn < CAST(:flushed AS pg_lsn) AND pg_current_wal_flush_lsn() >= CAST(:flushed AS pg_lsn) AS unbroken
    FROM pg_control_checkpoint()
""")
#: for as long as the connection lives: what is asked for is forbidden, or the catalog is of an older release
_HIDDEN: Final = psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction
#: until it is promoted: the server is a standby
_STANDBY: Final = psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.ObjectNotInPrerequisiteState
#: a system identifier and a timeline; `events_cluster` has substitutes for what a server hides
_CLUSTER: Final = re.compile(r"[0-9]+-[1-9][0-9]*")


class TransactionStatus(StrEnum):
    """What is known of a transaction; the first three are PostgreSQL's words. UNKNOWN is no answer to be believed."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    IN_PROGRESS = "in progress"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServerLifetime:
    """A PostgreSQL server and its timeline, from one start (in seconds since 1970) to the next."""

    cluster: str
    started: str


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that has begun: its id, where, and how far the write-ahead log was on disk then."""

    lifetime: ServerLifetime
    xid: str
    flushed: str


def begin(connection: sa.Connection) -> OpenTransaction | None:
    """Begin a transaction on a connection without one; None where its server does not tell what is needed.

    The first transaction of a connection asks who its server is, in a round trip of its own.
    """
    driver: Any = connection.connection.driver_connection
    try:
        return _begun(driver, connection.info)
    except psycopg.Error as error:
        lost = driver.closed
        if lost:
            connection.invalidate(error)
        raise sa.exc.DBAPIError("BEGIN", None, error, connection_invalidated=lost) from error


def status(connection: sa.Connection, transaction: OpenTransaction) -> TransactionStatus:
    """Ask for a transaction's outcome; raises DBAPIError where the connection is lost."""
    try:
        row = connection.execute(_STATUS, {"xid": transaction.xid, "flushed": transaction.flushed}).one()
    except sa.exc.DBAPIError as error:  # forbidden, a standby, an id that it has not given out yet
        if error.connection_invalidated:
            raise
        return TransactionStatus.UNKNOWN
    lifetime = _lifetime(row[0], row[1])
    if lifetime != transaction.lifetime or not row.unbroken or row.status is None:
        return TransactionStatus.UNKNOWN
    return TransactionStatus(row.status)


def _begun(driver: psycopg.Connection[Any], info: dict[Any, Any]) -> OpenTransaction | None:
    if _KNOWN not in info:
        info[_KNOWN] = _asked(driver)
    known: ServerLifetime | None = info[_KNOWN]
    if known is not None:
        lent = isinstance(driver, PatientConnection) and driver.each_time is not None
        try:
            xid, flushed, *where = _answers(driver, _BEGIN_AND_TELL_WHERE if lent else _BEGIN_AND_TELL)
            lifetime = _lifetime(*where) if lent else known
            return None if lifetime is None else OpenTransaction(lifetime, xid, flushed)
        except (*_HIDDEN, *_STANDBY) as error:
            driver.rollback()
            if isinstance(error, _HIDDEN):
                info[_KNOWN] = None
                _note_hidden(error)
    return None  # the driver begins with the first statement


def _asked(driver: psycopg.Connection[Any]) -> ServerLifetime | None:
    try:
        return _lifetime(*_answers(driver, _LIFETIME))
    except _HIDDEN as error:
        _note_hidden(error)
        return None


def _note_hidden(error: psycopg.Error) -> None:
    _log.info("the outcomes of transactions are not told", reason=texts.first_line(str(error)))


def _answers(driver: psycopg.Connection[Any], statements: bytes) -> list[str]:
    """Send statements as one query; return the values of the last one's row. A cursor costs 0.1 ms more."""
    with driver.lock:
        driver.pgconn.send_query(statements)
        results = driver.wait(generators.execute(driver.pgconn))
    if results[-1].status == ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(results[-1])
    return [(results[-1].get_value(0, column) or b"").decode() for column in range(results[-1].nfields)]


def _lifetime(cluster: str, started: str) -> ServerLifetime | None:
    return ServerLifetime(cluster, started) if _CLUSTER.fullmatch(cluster) else None
