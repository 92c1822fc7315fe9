"""The catalog's identity and the time of each tier's mark: the marks in the tiers are compared with them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.catalog import switches
from tierkeeper.catalog.conditions import READABLE
from tierkeeper.catalog.database import catalog_now

_COPIES = sa.text("SELECT count(*) FROM placements WHERE tier = :tier")
# the first and the last by id: the oldest copies and the newest
_SOME_OF = f"SELECT id FROM placements WHERE tier = :tier AND {READABLE} ORDER BY id"
_SOME = sa.text(f"""
    SELECT location, store_version, stored_size
    FROM placements
    WHERE id IN (({_SOME_OF} LIMIT :n) UNION ({_SOME_OF} DESC LIMIT :n))
    ORDER BY id DESC
""")


@dataclass(frozen=True, slots=True)
class Identity:
    """The catalog's id, its current line, and when the mark of each tier was made.

    ``was``: the id that ``init`` gave to an empty catalog, before a rebuild gave it the id that its tiers carry.
    ``founded``: the places of all its tiers were made once; a start makes none any more.
    """

    catalog: UUID
    line: UUID
    tiers: Mapping[str, datetime]
    was: UUID | None = None
    founded: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A copy that a tier should have."""

    location: str
    version: str | None
    size: int | None


def read(connection: sa.Connection, *, lock: bool = False) -> Identity | None:
    """Return the identity, None in a catalog from before tiers were marked; ``lock``: until the transaction ends."""
    row = switches.read(connection, switches.IDENTITY, lock=lock)
    if row is None:
        return None
    value = row.value
    tiers = {tier: datetime.fromisoformat(made) for tier, made in value["tiers"].items()}
    was = value.get("was")
    return Identity(
        catalog=UUID(value["catalog"]),
        line=UUID(value["line"]),
        tiers=tiers,
        was=None if was is None else UUID(was),
        founded=value.get("founded", False),
    )


def write(connection: sa.Connection, identity: Identity, *, by: str, reason: str, now: datetime) -> None:
    """Write the identity."""
    switches.write(connection, switches.IDENTITY, _as_json(identity), by=by, reason=reason, now=now)


def ensure(connection: sa.Connection, *, by: str, now: datetime) -> None:
    """Give the catalog an id where it has none."""
    first = _as_json(Identity(uuid4(), uuid4(), {}))
    switches.write_if_missing(connection, switches.IDENTITY, first, by=by, reason="the first init", now=now)


def begin_line(connection: sa.Connection, *, by: str, reason: str, now: datetime) -> None:
    """Begin a new line: a tier with the mark of an earlier one belongs to another copy of this catalog from now on."""
    known = read(connection, lock=True)
    if known is not None:
        tiers = dict.fromkeys(known.tiers, now)
        write(connection, replace(known, line=uuid4(), tiers=tiers, was=None), by=by, reason=reason, now=now)


def mark_founded(connection: sa.Connection, *, by: str) -> None:
    """Record that the places of the catalog's tiers were made."""
    known = read(connection, lock=True)
    if known is not None and not known.founded:
        founded, now = replace(known, founded=True), catalog_now(connection)
        write(connection, founded, by=by, reason="its places were made", now=now)


def copies(connection: sa.Connection, tier: str) -> int:
    """Return how many copies the catalog has in a tier, in any state."""
    count: int = connection.execute(_COPIES, {"tier": tier}).scalar_one()
    return count


def some(connection: sa.Connection, tier: str, *, at_most: int) -> list[Known]:
    """Return some copies that a tier should have, the newest first."""
    rows = connection.execute(_SOME, {"tier": tier, "n": max(1, at_most // 2)})
    return [Known(row.location, row.store_version, row.stored_size) for row in rows]


def _as_json(identity: Identity) -> dict[str, object]:
    return {
        "catalog": str(identity.catalog),
        "line": str(identity.line),
        "tiers": {tier: made.isoformat() for tier, made in identity.tiers.items()},
        "was": None if identity.was is None else str(identity.was),
        "founded": identity.founded,
    }
