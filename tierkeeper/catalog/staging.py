"""Staged uploads that were taken by a store, or that no store claimed in time."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.statements import typed

_TAKE = sa.text("""
    INSERT INTO staging (name, state, expires_at)
    VALUES (:name, 'taken', clock_timestamp() + :ttl)
    ON CONFLICT (name) DO UPDATE SET state = 'taken', expires_at = excluded.expires_at
""")
_ADOPT = sa.text("""
    INSERT INTO staging (name, state, expires_at)
    SELECT name, 'adopted', clock_timestamp()
    FROM unnest(:names) AS w(name)
    ON CONFLICT (name) DO NOTHING
""").bindparams(*typed(names="uuid[]"))
_EXPIRED = sa.text("""
    SELECT name
    FROM staging s
    WHERE expires_at <= CASE state WHEN 'taken' THEN :before ELSE :before - CAST(:held AS interval) END
        -- a message that is parked or waits still needs what was staged for it
        AND NOT EXISTS (SELECT FROM deliveries d WHERE s.name = ANY(d.staged))
    ORDER BY expires_at LIMIT :limit
""").bindparams(*typed(before="timestamptz"))
_FORGET = sa.text("DELETE FROM staging WHERE name = ANY(:names)")


def take(connection: sa.Connection, name: UUID, *, ttl: timedelta) -> None:
    """Note that a store takes this upload, which is deleted after ``ttl``."""
    connection.execute(_TAKE, {"name": name, "ttl": ttl})


def register_unclaimed(connection: sa.Connection, names: Collection[UUID]) -> None:
    """Record uploads that no store claimed within their time to live; from now on they expire."""
    connection.execute(_ADOPT, {"names": list(names)})


def expired(connection: sa.Connection, *, before: datetime, held: timedelta, limit: int) -> list[UUID]:
    """Return uploads that no message needs: they expired ``before``, those that no store claimed ``held`` earlier.

    The caller answers for both: no message comes any more that names them.
    """
    return list(connection.execute(_EXPIRED, {"before": before, "held": held, "limit": limit}).scalars())


def forget(connection: sa.Connection, names: Collection[UUID]) -> None:
    """Delete the rows of uploads whose bytes are gone."""
    connection.execute(_FORGET, {"names": list(names)})
