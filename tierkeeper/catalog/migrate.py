"""Create or upgrade the catalog with Alembic, one at a time."""

import time
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
from tierkeeper.base.errors import CatalogNotReady
from tierkeeper.catalog.database import translated, unavailable
from tierkeeper.connections import KEEPALIVES

# any number that nothing else in the database uses: concurrent `init` wait for each other
_ADVISORY_LOCK = 0x7469657200000001
#: workers at work lock rows of the tables that an upgrade changes, in their own order: it may lose a deadlock
_TRIES = 20
PAUSES: Final = Backoff(first=0.5, cap=0.5, least=0.2)
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


def upgrade(url: str) -> list[str]:
    """Bring the catalog at ``url`` (any ``postgresql`` URL) to the newest revision; return what was done, in words.

    Raises CatalogUnavailable where it does not answer, or does not let this user in or make tables; CatalogNotReady
    where a newer version wrote it.
    """
    driver_url = sa.make_url(url).set(drivername="postgresql+psycopg")
    # an upgrade may take long, and wait long for another one: only a server that is gone is given up
    limits = {
        name: value for name, value in {**KEEPALIVES, "connect_timeout": "10"}.items() if name not in driver_url.query
    }
    engine = sa.create_engine(driver_url, poolclass=sa.NullPool, connect_args=limits)
    try:
        for attempt in range(_TRIES):
            try:
                return _upgraded(engine)
            except sa.exc.DBAPIError as error:
                if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                    raise unavailable(error.orig) from error
                if not isinstance(error.orig, psycopg.errors.DeadlockDetected) or attempt == _TRIES - 1:
                    raise translated(error) from error
                time.sleep(PAUSES.seconds(attempt + 1))
        raise AssertionError  # the loop returns or raises
    finally:
        engine.dispose()


def _upgraded(engine: sa.Engine) -> list[str]:
    """Upgrade in one transaction: all of it or nothing."""
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        before, after = revision_found(connection), head()
        if before == after:
            return []
        _refuse_newer(before)
        command.upgrade(_config(connection), "head")
        return [f"catalog {'upgraded from ' + before if before else 'created'} at revision {after}"]
