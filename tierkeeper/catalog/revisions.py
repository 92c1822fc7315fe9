"""The revision of the catalog and the one that this code needs, compared as a process starts; Alembic is not loaded.

Revisions are numbered, in one line: the newest migration is the last by its file's name.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tierkeeper.base.errors import CatalogNotReady

UPGRADE_CATALOG: Final = (
    "Run `tierkeeper init`; if the catalog was downgraded, install the version of tierkeeper that needs this revision."
)
UPGRADE_CODE: Final = "Upgrade tierkeeper here to the version that the others run."
_MADE: Final = sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")
_CURRENT: Final = sa.text("SELECT version_num FROM alembic_version")


@cache
def known() -> tuple[str, ...]:
    """Return the revisions of this code, the oldest first."""
    package = find_spec("models")
    assert package is not None  # noqa: S101  it is installed with this package
    assert package.origin is not None  # noqa: S101  a package of files
    versions = Path(package.origin).parent / "migrations" / "versions"
    return tuple(sorted(file.name.partition("_")[0] for file in versions.glob("[0-9]*.py")))


def head() -> str:
    """Return the revision this version of the code needs."""
    return known()[-1]


def current(connection: sa.Connection) -> str:
    """Return the revision the catalog is at; empty where there is none, several joined by commas."""
    if not connection.execute(_MADE).scalar_one():
        return ""
    return ", ".join(sorted(connection.execute(_CURRENT).scalars()))


def check(connection: sa.Connection) -> None:
    """Raise :class:`CatalogNotReady` unless the catalog is at the revision this code needs."""
    at, needed = current(connection), head()
    if at != needed:
        refuse_newer(at)
        raise CatalogNotReady(found=at or "none", needed=needed, fix=UPGRADE_CATALOG)


def refuse_newer(at: str) -> None:
    """Raise :class:`CatalogNotReady` where ``at`` is none of this code's revisions: a newer version wrote it."""
    if at and at not in known():
        raise CatalogNotReady(found=f"{at}, which a newer version wrote", needed=head(), fix=UPGRADE_CODE)
