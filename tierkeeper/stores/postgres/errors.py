"""Translates psycopg's exceptions into the errors of the port, in one place."""

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import errors

from tierkeeper.stores import advice
from tierkeeper.stores.errors import (
    ContentMismatch,
    DatabaseReadOnly,
    StoreDenied,
    StoreError,
    StoreFull,
    StorePermanent,
    StoreTransient,
    StoreUnusable,
    TierNotOurs,
)

_DENIED = (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification, errors.InvalidPassword)
NO_TABLE = (errors.UndefinedTable, errors.InvalidSchemaName)
_TRANSIENT = (
    psycopg.OperationalError,  # includes lost connections, time-outs, deadlocks and the pool's errors
    psycopg.InterfaceError,
)


def translated(error: psycopg.Error, *, tier: str, location: str) -> StoreError:  # noqa: PLR0911  one return a kind
    """Return the port's error for ``error``."""
    reason = f"{location}: {str(error).strip() or type(error).__name__}"
    if isinstance(error, errors.CheckViolation):
        return ContentMismatch(tier=tier, location=location, reason="PostgreSQL counts other bytes than announced")
    if isinstance(error, errors.DiskFull):
        return StoreFull(tier=tier, reason=reason)
    if isinstance(error, errors.ReadOnlySqlTransaction):  # a server that has just become a standby, say
        return DatabaseReadOnly(tier=tier, reason=reason)
    if isinstance(error, _DENIED):
        return StoreDenied(tier=tier, reason=reason)
    if isinstance(error, NO_TABLE):
        return TierNotOurs(tier=tier, reason=f"{reason}: {advice.DATABASE}; {advice.NEW}")
    if isinstance(error, errors.UndefinedColumn):
        return StoreUnusable(tier=tier, reason=f"{reason} (the table is not tierkeeper's, or of another version)")
    return (StoreTransient if isinstance(error, _TRANSIENT) else StorePermanent)(tier=tier, reason=reason)


@contextlib.contextmanager
def translating(*, tier: str, location: str) -> Iterator[None]:
    """Translate the exceptions of psycopg and its pool."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, tier=tier, location=location) from error
