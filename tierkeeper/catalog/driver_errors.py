"""What the driver's errors mean: the catalog is away, refuses, takes no changes or met a limit, or a fault of ours."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

import psycopg
import sqlalchemy as sa

from tierkeeper.base.errors import CatalogLimited, CatalogReadOnly, CatalogRefused, CatalogUnavailable
from tierkeeper.connections import POOLED_OPTIONS
from tierkeeper_client import texts

#: the server is away or has no room for now, or it is read only: a standby that was not promoted yet, or a server that
#: protects its full disk. The driver's OperationalError is wider: it has errors of functions, triggers and savepoints
_UNAVAILABLE = re.compile("08|28|40|53|55|57|58|25006|25P03|25P04")
#: what this statement would meet again: a limit of the server's, a constraint, what a session may not do
_LASTING = frozenset({"53400", "40002", "55P02", "55P04"})
_READ_ONLY: Final = "25006"
#: the limit at which a server ended what it was asked, by the error's code, and what to do
_LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "57014": ("statement_timeout", "Raise catalog.statement_timeout where its statements need longer."),
    "55P03": ("lock_timeout", "See who holds the lock (pg_stat_activity), or raise catalog.lock_timeout."),
    "25P03": ("idle_in_transaction_session_timeout", "Raise catalog.idle_timeout where a process may stop for longer."),
    "25P04": ("transaction_timeout", "Take it away from the role and the database (ALTER ROLE … RESET …)."),
}
#: canceled by an operator, which has the same code as a limit, in PostgreSQL's English
_CANCELED: Final = "user request"
#: what a server refuses until an operator does something: the driver's errors, their words, what to do
_REFUSALS: Final[Sequence[tuple[tuple[type[BaseException], ...], str | None, str]]] = (
    (
        (psycopg.errors.InvalidCatalogName,),
        r'database ".*" does not exist|no such database',
        "Create it (CREATE DATABASE), or correct the name in catalog.url.",
    ),
    (
        (psycopg.errors.InvalidPassword, psycopg.errors.InvalidAuthorizationSpecification),
        r'role ".*" does not exist|no such user|authentication failed|no password supplied|no pg_hba.conf entry',
        "Correct user and password in catalog.url, or let the user in on the server.",
    ),
    (
        (psycopg.errors.InvalidSchemaName,),
        None,
        "Create the schema that search_path names (CREATE SCHEMA), or correct search_path.",
    ),
    (
        (),
        r"permission denied for (database|schema)",
        "Let the catalog's user own its database, or its schema: GRANT CREATE, USAGE ON SCHEMA … TO ….",
    ),
    (
        (psycopg.errors.InsufficientPrivilege,),
        None,
        "Let the catalog's user own its tables, or GRANT it SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ….",
    ),
    (
        (),
        rf"unsupported startup parameter: options|{POOLED_OPTIONS}",
        "Leave options out of catalog.url and PGOPTIONS; give a search_path to the user: ALTER ROLE … SET search_path.",
    ),
    (
        (),
        r"invalid \w+ value: |(certificate|private key) file ",
        "Correct the options of catalog.url.",
    ),
)
#: of a statement: the user lacks a privilege, or there is no schema to look into
_DENIED = psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName


def translated(error: sa.exc.DBAPIError | sa.exc.TimeoutError | psycopg.Error) -> Exception:
    """Return the error to raise: CatalogUnavailable where the server is away or refuses, else the error itself."""
    if isinstance(error, sa.exc.TimeoutError):
        return CatalogUnavailable(reason="every connection of this process is in use")
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, _DENIED):
        return _unavailable(cause)
    return _unavailable(cause) if _is_away(cause) else error


def _is_away(cause: BaseException | None) -> TypeGuard[psycopg.Error]:
    """Return True where the same may succeed later. The driver's own errors, as of a lost connection, have no code."""
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate is None:
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    if is_stale_plan(cause):
        return True
    return _UNAVAILABLE.match(cause.sqlstate) is not None and cause.sqlstate not in _LASTING


def _unavailable(cause: BaseException) -> CatalogUnavailable:
    """Return the error that says in the driver's first line why the catalog cannot be used, and what to do.

    What stays until an operator does something is CatalogRefused, what a limit on time ended CatalogLimited, a catalog
    that takes no changes CatalogReadOnly. The driver gives no code for what a server says to a
    new connection: the words are PostgreSQL's English ones and PgBouncer's.
    """
    reason = first_line(cause)
    for kinds, words, fix in _REFUSALS:
        if isinstance(cause, kinds) or (words is not None and re.search(words, reason)):
            return CatalogRefused(reason=reason, fix=fix)
    state = (cause.sqlstate or "") if isinstance(cause, psycopg.Error) else ""
    if state == _READ_ONLY:
        return CatalogReadOnly(reason=reason)
    if state in _LIMITS and _CANCELED not in reason:
        limit, fix = _LIMITS[state]
        return CatalogLimited(limit=limit, reason=reason, fix=fix)
    return CatalogUnavailable(reason=reason)


def is_stale_plan(cause: BaseException | None) -> bool:
    """Return True where an upgrade changed what a prepared statement returns: behind a ROLLBACK it is prepared anew."""
    return isinstance(cause, psycopg.errors.FeatureNotSupported) and "cached plan" in str(cause)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return texts.first_line(str(error)) or "no answer"
