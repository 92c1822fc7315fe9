"""Legal holds: named, on an artifact; their rows stay after the release."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.hold import HOLDS
from tierkeeper.base.ids import new_id

_UNDER = sa.text("""
    SELECT artifact_id
    FROM holds
    WHERE name = :name AND released_at IS NULL AND artifact_id > :after
    ORDER BY artifact_id LIMIT :limit
""")
_RELEASE = sa.text("""
    UPDATE holds
    SET released_by = :by, released_at = :now
    WHERE artifact_id = ANY(:ids) AND name = :name AND released_at IS NULL
    RETURNING artifact_id
""")
_COUNT = sa.text("SELECT count(*) FROM holds WHERE name = :name AND released_at IS NULL")


def place(connection: sa.Connection, artifact: UUID, name: str, *, by: str, reason: str, now: datetime) -> None:
    """Put a hold on a locked (or new) artifact that has none of this name."""
    connection.execute(
        sa.insert(HOLDS).values(id=new_id(), artifact_id=artifact, name=name, by=by, reason=reason, at=now)
    )


def under(connection: sa.Connection, name: str, *, after: UUID, limit: int) -> list[UUID]:
    """Return the artifacts under a hold of this name, by id."""
    return list(connection.execute(_UNDER, {"name": name, "after": after, "limit": limit}).scalars())


def release(connection: sa.Connection, artifacts: Collection[UUID], name: str, *, by: str, now: datetime) -> set[UUID]:
    """Release the holds of this name on locked artifacts; return those that had one."""
    arguments = {"ids": list(artifacts), "name": name, "by": by, "now": now}
    return set(connection.execute(_RELEASE, arguments).scalars())


def count(connection: sa.Connection, name: str) -> int:
    """Return how many artifacts are under a hold of this name."""
    return int(connection.execute(_COUNT, {"name": name}).scalar_one())
