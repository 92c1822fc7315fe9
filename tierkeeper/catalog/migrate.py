"""Create or upgrade the catalog with Alembic, one at a time, while processes are at work on it.

A new catalog is made in one transaction. One in use is upgraded a migration a transaction. A statement waits for its
lock :data:`_LOCK_SECONDS` at most, because whoever comes after it waits behind it; then the migration is rolled back,
and tried again after a pause in which the others work.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import models.migrations
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.errors import CatalogLimited, CatalogNotReady, CatalogRefused, InvalidInput
from tierkeeper.catalog import revisions
from tierkeeper.catalog.database import UTC, make_engine, set_each_time
from tierkeeper.catalog.driver_errors import translated

# any number that nothing else in the database uses: concurrent `init` wait for each other
_ADVISORY_LOCK = 0x7469657200000001
_LOCK_SECONDS = 1
_PATIENCE = 600.0  # seconds in which a migration of an upgrade gets all of its locks, else the upgrade is given up
_OTHERS_SECONDS = 0.2  # between two looks whether another upgrade is over
#: workers at work lock rows of the tables that an upgrade changes, in their own order: it may lose a deadlock
_TRIED_AGAIN = psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable
PAUSES: Final = Backoff(first=0.5, cap=4.0, least=0.5)
_CONNECT: Final = timedelta(seconds=10)
#: the schema of the catalog that is there, and the one where a new table goes
_SCHEMAS: Final = sa.text("""
    SELECT (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version')),
        current_schema()
""")
USE_SCHEMA: Final = "Create the schema (CREATE SCHEMA), GRANT USAGE, CREATE on it, or correct search_path."
_AROUND: Final = (
    "A pooler keeps a limit of the role in force: give this command the server's own URL (TIERKEEPER_CATALOG__URL)."
)
_LASTING = sa.text("SET LOCAL idle_in_transaction_session_timeout = 0")
_TAKE = sa.text("SELECT pg_try_advisory_xact_lock(:lock)")


def _config(connection: sa.Connection | None = None, *, in_use: bool = False) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(models.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
        config.attributes["in_use"] = in_use
    return config


def _check_schema(connection: sa.Connection) -> None:
    """Raise unless new tables are made where the catalog is: search_path may name, or the server may have, another."""
    at, new = connection.execute(_SCHEMAS).one()
    if new is None:
        raise CatalogRefused(reason="search_path names no schema that exists and can be used", fix=USE_SCHEMA)
    if at is not None and at != new:
        found = f"{revisions.current(connection)} in schema {at}, and new tables would be made in schema {new}"
        raise CatalogNotReady(found=found, needed=revisions.head(), fix=f"Let search_path begin with {at}.")


def upgrade(url: str) -> list[str]:
    """Bring the catalog at ``url`` (any ``postgresql`` URL) to the newest revision; return what was done, in words.

    Raises CatalogUnavailable where it does not answer or others hold their locks for ten minutes, CatalogRefused where
    it does not let this user in or make tables, CatalogNotReady where a newer version wrote it or new tables would be
    made in another schema. An upgrade that ends early leaves the catalog at the revision that it reached, and the next
    one continues from there.
    """
    with _opened(url) as engine, _alone(engine):
        return _upgraded(engine)


def downgrade(url: str, revision: str) -> str:
    """Bring the catalog at ``url`` back to an earlier ``revision``, in one transaction; return the one that it was at.

    Raises InvalidInput where the revision is none before it, and what :func:`upgrade` raises.
    """
    with _opened(url) as engine, _alone(engine), engine.begin() as connection:
        before = revisions.current(connection)
        revisions.refuse_newer(before)
        if revision not in revisions.known() or revision >= before:
            raise InvalidInput(
                field="revision",
                value=revision,
                problem=f"it is not before the catalog's, {before or 'none'}",
                fix="Give the newest one of the version to go back to, such as 0011.",
            )
        command.downgrade(_config(connection), revision)
        return before


@contextmanager
def _opened(url: str) -> Iterator[sa.Engine]:
    """An engine at ``url``; its errors are those of :func:`upgrade`.

    An upgrade may take long, and wait long for another one: only a server that is gone is given up, and no limit is on
    its sessions. Behind a pooler that is set within a transaction alone: a role's limits still hold for CREATE INDEX
    CONCURRENTLY, which is in none.
    """
    engine = make_engine(
        url,
        timeout=_CONNECT,
        session=UTC,
        patience=None,
        poolclass=sa.NullPool,
        isolation_level="READ COMMITTED",
    )
    sa.event.listen(engine, "begin", _set_up)
    try:
        yield engine
    except (sa.exc.DBAPIError, sa.exc.PendingRollbackError) as error:
        cause = _first(error)
        found = translated(cause)
        if isinstance(found, CatalogLimited) and not isinstance(cause.orig, _TRIED_AGAIN):
            raise CatalogLimited(limit=found.data["limit"], reason=found.data["reason"], fix=_AROUND) from error
        raise found from error
    finally:
        engine.dispose()


def _first(error: BaseException) -> sa.exc.DBAPIError:
    """Return the driver's error; where that lost a connection outside of a transaction, SQLAlchemy's own follows it."""
    if isinstance(error, sa.exc.DBAPIError):
        return error
    assert error.__context__ is not None  # noqa: S101  it is raised while the other one is handled
    return _first(error.__context__)


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Wait until no other upgrade is at work, and keep others from beginning.

    The lock is held by a transaction of its own, which is idle: a waiting one would be waited for by CREATE INDEX
    CONCURRENTLY, and a lock of a session means nothing through a pooler of transactions.
    """
    with engine.connect() as connection:
        while not connection.execute(_TAKE, {"lock": _ADVISORY_LOCK}).scalar_one():
            connection.rollback()
            time.sleep(_OTHERS_SECONDS)
        # the answer's snapshot lasts until the next statement, and CREATE INDEX CONCURRENTLY waits for its end
        connection.execute(_LASTING)
        yield


def _upgraded(engine: sa.Engine) -> list[str]:
    with engine.begin() as connection:
        before, after = revisions.current(connection), revisions.head()
        if before == after:
            return []
        revisions.refuse_newer(before)
        _check_schema(connection)
        if not before:
            command.upgrade(_config(connection), "head")
            return [f"catalog created at revision {after}"]
    sa.event.listen(engine, "begin", _wait_briefly)
    _try_again(engine)
    return [f"catalog upgraded from {before} at revision {after}"]


def _try_again(engine: sa.Engine) -> None:
    until, tried, stuck_at = 0.0, 0, None
    while True:
        try:
            with engine.connect() as connection:
                command.upgrade(_config(connection, in_use=True), "head")
        except sa.exc.DBAPIError as error:
            with engine.connect() as connection:
                reached = revisions.current(connection)
            if reached != stuck_at:  # what was built before counts for nothing
                until, tried, stuck_at = time.monotonic() + _PATIENCE, 0, reached
            if not isinstance(error.orig, _TRIED_AGAIN) or time.monotonic() > until:
                raise
            tried += 1
            time.sleep(PAUSES.seconds(tried))
        else:
            return


def _set_up(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        set_each_time(connection)


def _wait_briefly(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
