"""Reconcile's queries: the copies at given locations, and the copies that a tier should have."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.content import StoredForm
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.conditions import KEPT
from tierkeeper.catalog.statements import listed, typed


@dataclass(frozen=True, slots=True)
class Copy:
    """One placement, with the fields that can be compared with a store's answer."""

    id: UUID
    blob: UUID
    location: str
    state: PlacementState
    version: str | None
    size: int | None
    sha256: bytes | None
    damaged: bool
    missed_at: datetime | None  # since when it is a suspect

    @property
    def form(self) -> StoredForm:
        """Its bytes in the tier's store; without a pin, as a listing has none."""
        return StoredForm(self.location, self.version, size=self.size, sha256=self.sha256)

    @property
    def expects_bytes(self) -> bool:
        """True if its bytes must be there: neither being written nor being deleted."""
        return self.state.kept


_COLUMNS = listed(
    Copy.__dataclass_fields__,
    blob="blob_id",
    version="store_version",
    size="stored_size",
    sha256="stored_sha256",
    damaged="damaged_at IS NOT NULL",
)
# each by its unique index, which has the id at the end of a location before the location (OFFSET 0 keeps these apart)
_AT = sa.text(f"""
    SELECT p.*
    FROM unnest(:locations) AS w(location)
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS}
            FROM placements
            WHERE tier = :tier
                AND right(placements.location, 36) = right(w.location, 36)
                AND placements.location = w.location
            OFFSET 0
        ) AS p
""").bindparams(*typed(locations="text[]"))
_THESE = sa.text(f"SELECT {_COLUMNS} FROM placements WHERE id = ANY(:ids)")
# a page is so many rows of all tiers: however few of them a tier has, one query goes no further
_END_OF_PAGE = sa.text("SELECT id FROM placements WHERE id > :after ORDER BY id OFFSET :rows LIMIT 1")
_PAGE = sa.text(f"""
    SELECT {_COLUMNS}
    FROM placements
    WHERE tier = :tier
        AND {KEPT}
        AND made_at < :before
        AND id > :after
        AND (:end IS NULL OR id <= :end)
    ORDER BY id
""").bindparams(*typed(end="uuid"))
# one artifact stands for all that share the content; a purged one misses nothing
_OWNERS = sa.text("""
    SELECT b.blob_id,
        (
            SELECT a.id
            FROM artifacts a
            WHERE a.blob_id = b.blob_id AND a.state <> 'purged'
            ORDER BY a.wanted DESC LIMIT 1
        ) AS artifact
    FROM unnest(:blobs) AS b(blob_id)
""").bindparams(*typed(blobs="uuid[]"))


def at(connection: sa.Connection, tier: str, locations: Collection[str]) -> dict[str, Copy]:
    """Return the placements of a tier at these locations, in any state."""
    rows = connection.execute(_AT, {"tier": tier, "locations": list(locations)})
    return {row.location: _copy(row) for row in rows}


def these(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, Copy]:
    """Return these placements as they are now."""
    return {row.id: _copy(row) for row in connection.execute(_THESE, {"ids": list(ids)})}


def page(
    connection: sa.Connection, tier: str, *, before: datetime, after: UUID, rows: int
) -> tuple[list[Copy], UUID | None]:
    """Return, of the next ``rows`` placements by id, the tier's that were intended before a moment and must be there.

    The second value is the id to continue after, None at the end.
    """
    end: UUID | None = connection.execute(_END_OF_PAGE, {"after": after, "rows": rows - 1}).scalar()
    arguments = {"tier": tier, "before": before, "after": after, "end": end}
    return [_copy(row) for row in connection.execute(_PAGE, arguments)], end


def owners(connection: sa.Connection, blobs: Collection[UUID]) -> dict[UUID, UUID]:
    """Return an artifact that needs the content, by blob, for each of these blobs that is needed."""
    rows = connection.execute(_OWNERS, {"blobs": list(blobs)})
    return {row.blob_id: row.artifact for row in rows if row.artifact is not None}


def _copy(row: Any) -> Copy:  # noqa: ANN401  a driver's row
    sha256 = None if row.sha256 is None else bytes(row.sha256)
    return Copy(**{**row._mapping, "state": PlacementState(row.state), "sha256": sha256})  # noqa: SLF001  SQLAlchemy's public name
