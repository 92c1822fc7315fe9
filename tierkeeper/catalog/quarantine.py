"""Orphans: bytes without a placement, as reconcile saw them. Rows record the sightings; no bytes are moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tierkeeper.catalog.database import Clocks
from tierkeeper.catalog.statements import listed, typed


@dataclass(frozen=True, slots=True)
class Orphan:
    """One object, or one version of it, without a placement.

    ``seen_again``: its latest sighting after the first. ``deleting_at``: its deletion was decided then.
    """

    tier: str
    location: str
    version: str | None
    size: int | None
    first_seen: datetime
    seen_again: datetime | None
    deleting_at: datetime | None


_COLUMNS = listed(Orphan.__dataclass_fields__, table="q", version="nullif(q.store_version, '')")
_KEYS = "unnest(:locations, :versions) AS w(location, version)"
_OF_KEYS = typed(locations="text[]", versions="text[]")
_SIGHTED = sa.text("""
    INSERT INTO quarantine AS q (tier, location, store_version, size, first_seen)
    SELECT :tier, w.location, w.version, w.size, :first
    FROM unnest(:locations, :versions, :sizes) AS w(location, version, size)
    ORDER BY w.location, w.version
    ON CONFLICT (tier, location, store_version)
    DO UPDATE SET size = excluded.size, seen_again = :now,
        -- other bytes than before have not been there long; a time after both clocks was noted by one that was ahead
        first_seen = CASE
            WHEN q.size = excluded.size THEN least(q.first_seen, excluded.first_seen)
            ELSE excluded.first_seen
        END,
        deleting_at = CASE WHEN q.size = excluded.size THEN q.deleting_at END,
        refused_since = CASE WHEN q.size = excluded.size THEN q.refused_since END
    RETURNING location, store_version, first_seen
""").bindparams(*typed(locations="text[]", versions="text[]", sizes="bigint[]"))
_KNOWN = sa.text(f"""
    SELECT q.location, q.store_version, q.first_seen
    FROM quarantine q JOIN {_KEYS} ON q.location = w.location AND q.store_version = w.version
    WHERE q.tier = :tier
""").bindparams(*_OF_KEYS)
_RIPE = sa.text(f"""
    SELECT {_COLUMNS}
    FROM quarantine q
    WHERE tier = :tier
        AND first_seen <= :before
        AND seen_again >= :since
        AND (location, store_version) > (:location, :version)
    ORDER BY location, store_version LIMIT :limit
""")
_LOCK = sa.text(f"""
    SELECT {_COLUMNS}
    FROM quarantine q JOIN {_KEYS} ON q.location = w.location AND q.store_version = w.version
    WHERE q.tier = :tier
    ORDER BY q.location, q.store_version FOR UPDATE OF q
""").bindparams(*_OF_KEYS)
_DECIDE = sa.text(f"""
    UPDATE quarantine q
    SET deleting_at = coalesce(q.deleting_at, :now)
    FROM {_KEYS}
    WHERE q.tier = :tier AND q.location = w.location AND q.store_version = w.version
    RETURNING {_COLUMNS}
""").bindparams(*_OF_KEYS)
_FORGET = sa.text(f"""
    DELETE FROM quarantine q
    USING {_KEYS}
    WHERE q.tier = :tier AND q.location = w.location AND q.store_version = w.version
    RETURNING {_COLUMNS}
""").bindparams(*_OF_KEYS)
_GONE = sa.text(f"""
    SELECT {_COLUMNS}
    FROM quarantine q
    WHERE tier = :tier AND coalesce(seen_again, first_seen) < :since
    ORDER BY location, store_version LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object, or one version of it, as a store lists it."""

    location: str
    version: str | None
    size: int


def sighted(
    connection: sa.Connection, tier: str, objects: Sequence[Sighting], *, now: Clocks
) -> dict[tuple[str, str | None], datetime]:
    """Record that these objects exist without a placement; return the first sighting of each, by its key."""
    sizes = [each.size for each in objects]
    arguments = {"tier": tier, "now": now.catalog, "first": now.later, "sizes": sizes, **_keys(objects)}
    return _first_seen(connection.execute(_SIGHTED, arguments))


def known(connection: sa.Connection, tier: str, objects: Sequence[Sighting]) -> dict[tuple[str, str | None], datetime]:
    """Return the first sightings of those of these objects that are recorded, by their keys."""
    return _first_seen(connection.execute(_KNOWN, {"tier": tier, **_keys(objects)}))


def ripe(
    connection: sa.Connection,
    tier: str,
    *,
    seen_since: datetime,
    first_before: datetime,
    after: Orphan | None,
    limit: int,
) -> list[Orphan]:
    """Return a tier's orphans first seen until ``first_before`` and again since ``seen_since``, by location."""
    arguments: dict[str, Any] = {
        "tier": tier,
        "since": seen_since,
        "before": first_before,
        "limit": limit,
        "location": after.location if after else "",
        "version": (after.version or "") if after else "",
    }
    return _orphans(connection.execute(_RIPE, arguments))


def lock(connection: sa.Connection, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    """Lock these rows in their order and return those that are still there, as they are now."""
    return _orphans(connection.execute(_LOCK, {"tier": tier, **_keys(orphans)}))


def decide(connection: sa.Connection, tier: str, orphans: Sequence[Orphan], *, now: datetime) -> list[Orphan]:
    """Record that the deletion of these orphans is decided, the decision point of their delete; return them so."""
    return _orphans(connection.execute(_DECIDE, {"tier": tier, "now": now, **_keys(orphans)}))


def forget(connection: sa.Connection, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    """Delete the rows of these orphans; return those that still had one."""
    return _orphans(connection.execute(_FORGET, {"tier": tier, **_keys(orphans)}))


def gone(connection: sa.Connection, tier: str, *, since: datetime, limit: int) -> list[Orphan]:
    """Return orphans that were not seen since then."""
    return _orphans(connection.execute(_GONE, {"tier": tier, "since": since, "limit": limit}))


def _keys(objects: Sequence[Sighting] | Sequence[Orphan]) -> dict[str, list[str]]:
    return {"locations": [each.location for each in objects], "versions": [each.version or "" for each in objects]}


def _first_seen(rows: sa.CursorResult[Any]) -> dict[tuple[str, str | None], datetime]:
    return {(row.location, row.store_version or None): row.first_seen for row in rows}


def _orphans(rows: sa.CursorResult[*tuple[Any, ...]]) -> list[Orphan]:
    return [Orphan(*row) for row in rows]
