"""Artifacts whose rows break the gate, from before there was one or by other hands: counted, mended, validated.

Their rows are isolated by SQL alone. A reader gets stand-ins for what cannot be read: see
:class:`tierkeeper.catalog.rows.ArtifactRow`.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import psycopg
import sqlalchemy as sa

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import switches
from tierkeeper.catalog.conditions import UNREADABLE
from tierkeeper.catalog.database import catalog_now, take_time

CONSTRAINT: Final = "ck_artifacts_readable"
_VALID = sa.text("SELECT convalidated FROM pg_constraint WHERE conname = :name AND conrelid = 'artifacts'::regclass")
_VALIDATE = sa.text(f"ALTER TABLE artifacts VALIDATE CONSTRAINT {CONSTRAINT}")
_DEFINITION = sa.text(
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name AND conrelid = 'artifacts'::regclass"
)
_PAGE = sa.text(f"SELECT id FROM artifacts WHERE id > :after AND ({UNREADABLE}) ORDER BY id LIMIT :limit")
_OF = sa.text(f"SELECT id FROM artifacts WHERE id = ANY(:ids) AND ({UNREADABLE})")


def page(connection: sa.Connection, *, after: UUID, limit: int) -> list[UUID]:
    """Return the ids of artifacts that break the gate, after an id, in their order."""
    take_time(connection)  # it may look at every row
    return list(connection.execute(_PAGE, {"after": after, "limit": limit}).scalars())


def still(connection: sa.Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these locked artifacts break the gate."""
    return set(connection.execute(_OF, {"ids": list(ids)}).scalars())


def validate(connection: sa.Connection) -> bool | None:
    """Validate the constraint; False where a row breaks it, None where it was validated before.

    Such a row is remembered: while it breaks the constraint, no other is looked at.
    """
    if connection.execute(_VALID, {"name": CONSTRAINT}).scalar_one():
        return None
    known = switches.read(connection, switches.UNREADABLE)
    if known is not None and still(connection, [UUID(known.value)]):
        return False
    take_time(connection)
    try:
        with connection.begin_nested():
            connection.execute(_VALIDATE)
    except sa.exc.IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.CheckViolation):
            raise
        first, now = page(connection, after=UUID(int=0), limit=1), catalog_now(connection)
        for row in map(str, first):
            reason = "its row cannot be read"
            switches.write(connection, switches.UNREADABLE, row, by=TIERKEEPER.actor, reason=reason, now=now)
        return False
    switches.remove(connection, switches.UNREADABLE)
    return True


def lift(connection: sa.Connection) -> str:
    """Drop the constraint, so that rows of a dump are loaded as they were; return its definition."""
    definition: str = connection.execute(_DEFINITION, {"name": CONSTRAINT}).scalar_one()
    connection.execute(sa.text(f"ALTER TABLE artifacts DROP CONSTRAINT {CONSTRAINT}"))
    return definition.removesuffix(" NOT VALID")


def enforce(connection: sa.Connection, definition: str) -> None:
    """Enforce the constraint again for every change from now on; `maintain` validates it."""
    connection.exec_driver_sql(f"ALTER TABLE artifacts ADD CONSTRAINT {CONSTRAINT} {definition} NOT VALID")
