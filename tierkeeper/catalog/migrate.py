"""Create or upgrade the catalog with Alembic, one at a time."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import models.migrations
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.errors import CatalogNotReady, CatalogRefused
from tierkeeper.catalog.database import UTC, make_engine, set_each_time, translated

# any number that nothing else in the database uses: concurrent `init` wait for each other
_ADVISORY_LOCK = 0x7469657200000001
#: workers at work lock rows of the tables that an upgrade changes, in their own order: it may lose a deadlock
_TRIES = 20
_CONNECT: Final = timedelta(seconds=10)
PAUSES: Final = Backoff(first=0.5, cap=0.5, least=0.2)
#: the schema of the catalog that is there, and the one where a new table goes
_SCHEMAS: Final = sa.text("""
    SELECT (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version')),
        current_schema()
""")
USE_SCHEMA: Final = "Create the schema (CREATE SCHEMA), GRANT USAGE, CREATE on it, or correct search_path."
UPGRADE_CATALOG: Final = "Run `tierkeeper init`."
UPGRADE_CODE: Final = "Upgrade tierkeeper here to the version that the others run."


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(models.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the revision this version of the code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision_found(connection: sa.Connection) -> str:
    """Return the revision the catalog is at; empty where there is none, several joined by commas."""
    return ", ".join(sorted(MigrationContext.configure(connection).get_current_heads()))


def check(connection: sa.Connection) -> None:
    """Raise :class:`CatalogNotReady` unless the catalog is at the revision this code needs."""
    at, needed = revision_found(connection), head()
    if at != needed:
        _refuse_newer(at)
        raise CatalogNotReady(found=at or "none", needed=needed, fix=UPGRADE_CATALOG)


def _refuse_newer(at: str) -> None:
    """Raise :class:`CatalogNotReady` where ``at`` is none of this code's revisions: a newer version wrote it."""
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    if at and at not in {known.revision for known in revisions}:
        raise CatalogNotReady(found=f"{at}, which a newer version wrote", needed=head(), fix=UPGRADE_CODE)


def _check_schema(connection: sa.Connection) -> None:
    """Raise unless new tables are made where the catalog is: search_path may name, or the server may have, another."""
    at, new = connection.execute(_SCHEMAS).one()
    if new is None:
        raise CatalogRefused(reason="search_path names no schema that exists and can be used", fix=USE_SCHEMA)
    if at is not None and at != new:
        found = f"{revision_found(connection)} in schema {at}, and new tables would be made in schema {new}"
        raise CatalogNotReady(found=found, needed=head(), fix=f"Let search_path begin with {at}.")


def upgrade(url: str) -> list[str]:
    """Bring the catalog at ``url`` (any ``postgresql`` URL) to the newest revision; return what was done, in words.

    Raises CatalogUnavailable where it does not answer, CatalogRefused where it does not let this user in or make
    tables, CatalogNotReady where a newer version wrote it or new tables would be made in another schema.
    """
    # an upgrade may take long, and wait long for another one: only a server that is gone is given up
    engine = make_engine(url, timeout=_CONNECT, session=UTC, patience=None, poolclass=sa.NullPool)
    try:
        for attempt in range(_TRIES):
            try:
                return _upgraded(engine)
            except sa.exc.DBAPIError as error:
                if not isinstance(error.orig, psycopg.errors.DeadlockDetected) or attempt == _TRIES - 1:
                    raise translated(error) from error
                time.sleep(PAUSES.seconds(attempt + 1))
        raise AssertionError  # the loop returns or raises
    finally:
        engine.dispose()


def _upgraded(engine: sa.Engine) -> list[str]:
    """Upgrade in one transaction: all of it or nothing."""
    with engine.begin() as connection:
        set_each_time(connection)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        before, after = revision_found(connection), head()
        if before == after:
            return []
        _refuse_newer(before)
        _check_schema(connection)
        command.upgrade(_config(connection), "head")
        return [f"catalog {'upgraded from ' + before if before else 'created'} at revision {after}"]
