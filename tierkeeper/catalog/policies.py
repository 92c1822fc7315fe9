"""Versions of policies. One version of a name is active; the others stay as the record of earlier decisions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.policy import POLICIES
from tierkeeper.catalog import recordset
from tierkeeper.catalog.statements import typed


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One version of a policy; ``removed_at`` None: the active one of its name."""

    id: UUID
    tenant: str | None
    name: str
    version: int
    document: dict[str, Any]
    built_in: bool
    active_from: datetime
    removed_at: datetime | None
    by: str
    imported_as: str | None


# any number that nothing else in the database uses: policies are applied one at a time
_ADVISORY_LOCK = 0x7469657200000002
# counts only grow, whatever the server's clock does; the id tells a rebuilt catalog with the same counts apart
_EDITION = sa.text(
    "SELECT count(*) || '/' || count(removed_at) || '/' || coalesce(max(id::text), ''), clock_timestamp() FROM policies"
)

_LABELS = sa.text("SELECT id, name, version FROM policies WHERE id = ANY(:ids)").bindparams(*typed(ids="uuid[]"))
_LAST_VERSIONS = sa.text("SELECT name, max(version) AS version FROM policies WHERE name = ANY(:names) GROUP BY name")
_REMOVE = sa.text("UPDATE policies SET removed_at = :now WHERE name = ANY(:names) AND removed_at IS NULL").bindparams(
    *typed(names="text[]")
)
_MARK_IMPORTED = sa.text("""
    UPDATE policies SET imported_as = :imported_as
    WHERE name = ANY(:names) AND removed_at IS NULL AND imported_as IS DISTINCT FROM :imported_as
""").bindparams(*typed(names="text[]", imported_as="text"))


def lock(connection: sa.Connection) -> None:
    """Take the lock for changes of policies until this transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def edition(connection: sa.Connection) -> tuple[str, datetime]:
    """Return a text that changes with every change of the policies, and PostgreSQL's time as it was read."""
    text, at = connection.execute(_EDITION).one()
    return text, at


def active(connection: sa.Connection) -> list[PolicyRow]:
    """Return the active version of every policy."""
    return _select(connection, POLICIES.c.removed_at.is_(None))


def every(connection: sa.Connection) -> list[PolicyRow]:
    """Return all versions, by name and version."""
    return _select(connection, sa.true())


def of_name(connection: sa.Connection, name: str) -> list[PolicyRow]:
    """Return all versions of one policy."""
    return _select(connection, POLICIES.c.name == name)


def labels(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return name and version in words, such as ``reports v3``."""
    rows = connection.execute(_LABELS, {"ids": list(ids)})
    return {row.id: f"{row.name} v{row.version}" for row in rows}


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version of a policy that is to be the active one of its name."""

    id: UUID
    tenant: str | None
    name: str
    version: int
    document: dict[str, Any]
    built_in: bool
    by: str
    active_from: datetime
    imported_as: str | None


def last_versions(connection: sa.Connection, names: Collection[str]) -> dict[str, int]:
    """Return the highest version of each of these names that has any, removed ones too."""
    return {row.name: row.version for row in connection.execute(_LAST_VERSIONS, {"names": list(names)})}


def add(connection: sa.Connection, versions: Sequence[NewVersion], *, now: datetime) -> None:
    """Make new versions the active ones of their names."""
    remove(connection, [version.name for version in versions], now=now)
    recordset.insert(connection, POLICIES, [recordset.columns(version) for version in versions])


def mark_imported(connection: sa.Connection, names: Collection[str], *, imported_as: str) -> None:
    """Note the import that the active versions of these names come from."""
    connection.execute(_MARK_IMPORTED, {"names": list(names), "imported_as": imported_as})


def remove(connection: sa.Connection, names: Collection[str], *, now: datetime) -> None:
    """End the active versions of these names."""
    connection.execute(_REMOVE, {"names": list(names), "now": now})


def _select(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[PolicyRow]:
    columns = (POLICIES.c[name] for name in PolicyRow.__dataclass_fields__)
    statement = sa.select(*columns).where(condition).order_by(POLICIES.c.name, POLICIES.c.version)
    return [PolicyRow(*row) for row in connection.execute(statement)]
