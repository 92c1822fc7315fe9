"""Versions of policies. One version of a name is active; the others stay as the record of earlier decisions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import PolicyVersion
from tierkeeper.base.ids import new_id


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


# any number that nothing else in the database uses: policies are applied one at a time
_ADVISORY_LOCK = 0x7469657200000002
# counts only grow, whatever the server's clock does; the id tells a rebuilt catalog with the same counts apart
_EDITION = sa.text(
    "SELECT count(*) || '/' || count(removed_at) || '/' || coalesce(max(id::text), ''), clock_timestamp() FROM policies"
)


def lock(connection: sa.Connection) -> None:
    """Take the lock for changes of policies until this transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def edition(connection: sa.Connection) -> tuple[str, datetime]:
    """Return a text that changes with every change of the policies, and PostgreSQL's time as it was read."""
    text, at = connection.execute(_EDITION).one()
    return text, at


def active(connection: sa.Connection) -> list[PolicyRow]:
    """Return the active version of every policy."""
    return _select(connection, PolicyVersion.removed_at.is_(None))


def every(connection: sa.Connection) -> list[PolicyRow]:
    """Return all versions, by name and version."""
    return _select(connection, sa.true())


def of_name(connection: sa.Connection, name: str) -> list[PolicyRow]:
    """Return all versions of one policy."""
    return _select(connection, PolicyVersion.name == name)


def labels(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return name and version in words, such as ``reports v3``."""
    rows = connection.execute(
        sa.select(PolicyVersion.id, PolicyVersion.name, PolicyVersion.version).where(PolicyVersion.id.in_(ids))
    )
    return {row.id: f"{row.name} v{row.version}" for row in rows}


def add(
    connection: sa.Connection,
    *,
    name: str,
    version: int,
    tenant: str | None,
    document: dict[str, Any],
    built_in: bool,
    by: str,
    now: datetime,
) -> UUID:
    """Make a new version the active one of its name."""
    remove(connection, name=name, now=now)
    identity = new_id()
    connection.execute(
        sa.insert(PolicyVersion).values(
            id=identity,
            name=name,
            version=version,
            tenant=tenant,
            document=document,
            built_in=built_in,
            by=by,
            active_from=now,
        )
    )
    return identity


def remove(connection: sa.Connection, *, name: str, now: datetime) -> int:
    """End the active version of a name; return how many there were, 0 or 1."""
    statement = sa.update(PolicyVersion).where(PolicyVersion.name == name, PolicyVersion.removed_at.is_(None))
    return connection.execute(statement.values(removed_at=now)).rowcount


def _select(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[PolicyRow]:
    columns = (PolicyVersion.__table__.c[name] for name in PolicyRow.__dataclass_fields__)
    statement = sa.select(*columns).where(condition).order_by(PolicyVersion.name, PolicyVersion.version)
    return [PolicyRow(*row) for row in connection.execute(statement)]
