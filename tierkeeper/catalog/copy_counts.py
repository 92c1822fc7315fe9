"""Counts of copies by tier and state: all of them, or an estimate that reads a bounded part of a large catalog.

A catalog is large once ``placements`` has more than :data:`SMALL` pages. Of all tenants, some hundred pages are read at
random: of the copies in a tier that is half of them the estimate is some percent off. What is rare (doomed, unvouched,
missed, refused copies) is counted by its index up to :data:`MOST`. Of one tenant, the contents with the lowest SHA-256
are read: hashes are evenly spread, so the last of them tells which part of all contents they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.conditions import KEPT, REFUSED, SUSPECT, UNVOUCHED
from tierkeeper.catalog.statements import typed
from tierkeeper.catalog.tenant_filter import OF_TENANTS_SCOPE

#: pages (of 8 KiB) of ``placements``, some 60 000 copies, up to which all are counted
SMALL: Final = 2000
#: pages that an estimate reads at random
READ: Final = 500
#: contents of a tenant that an estimate reads
CONTENTS: Final = 200
#: rare copies of a kind that are counted one by one
MOST: Final = 10_000

_COUNTED = f"""
    count(*) AS copies, coalesce(sum(p.stored_size), 0) AS bytes, count(*) FILTER (WHERE {UNVOUCHED}) AS unvouched,
    count(*) FILTER (WHERE {SUSPECT}) AS missed, count(*) FILTER (WHERE {REFUSED}) AS refused
"""
_SHOWN = f"(({KEPT}) OR ({REFUSED}))"
_ALL = sa.text(f"""
    SELECT p.tier, p.state, {_COUNTED}, count(DISTINCT b.scope) AS tenants
    FROM placements p JOIN blobs b ON b.id = p.blob_id
    WHERE {_SHOWN} AND {OF_TENANTS_SCOPE}
    GROUP BY p.tier, p.state
""").bindparams(*typed(tenant="text"))
_PAGES = sa.text("SELECT pg_relation_size('placements') / current_setting('block_size')::bigint")
_SAMPLE = sa.text(f"""
    SELECT p.tier, p.state, {_COUNTED}
    FROM placements p TABLESAMPLE SYSTEM (:percent)
    WHERE {_SHOWN}
    GROUP BY p.tier, p.state
""")
_KINDS: Final = {"doomed": "state = 'doomed'", "unvouched": UNVOUCHED, "missed": SUSPECT, "refused": REFUSED}
_RARE = sa.text(
    " UNION ALL ".join(
        f"""
    SELECT '{kind}' AS kind, tier, state, count(*) AS copies, coalesce(sum(stored_size), 0) AS bytes
    FROM (SELECT tier, state, stored_size FROM placements WHERE {condition} LIMIT :most) AS found
    GROUP BY tier, state
"""
        for kind, condition in _KINDS.items()
    )
)
# a SHA-256 as a number from 0 to 1: its first six bytes are more than enough
_OF_TENANT = sa.text(f"""
    WITH chosen AS MATERIALIZED (
        SELECT id, sha256
        FROM blobs
        WHERE scope = (SELECT scope FROM tenants WHERE id = :tenant)
        ORDER BY sha256 LIMIT :contents
    ),
    part AS (
        SELECT CASE
            WHEN count(*) < :contents THEN 1
            ELSE (
                SELECT (('x' || encode(substring(sha256 FOR 6), 'hex'))::bit(48)::bigint + 1) / 281474976710656.0
                FROM chosen
                ORDER BY sha256 DESC LIMIT 1
            )
        END AS share
        FROM chosen
    )
    SELECT p.tier, p.state, {_COUNTED}, (SELECT share FROM part)::float8 AS share
    FROM chosen b JOIN placements p ON p.blob_id = b.id
    WHERE {_SHOWN}
    GROUP BY p.tier, p.state
""")


@dataclass(frozen=True, slots=True)
class CopyCounts:
    """The copies of one tier in one state; bytes as stored. ``tenants`` is None where it is not counted."""

    copies: int = 0
    size: int = 0
    tenants: int | None = 0
    unvouched: int = 0
    missed: int = 0
    refused: int = 0


#: the counts by tier and state; of copies that are being deleted, those alone whose delete was refused
Counts = Mapping[tuple[str, PlacementState], CopyCounts]


def exact(connection: sa.Connection, *, tenant: str | None) -> Counts:
    """Count every copy, of a tenant or of all; reads the whole table."""
    return {
        _key(row): replace(_counts(row), tenants=row.tenants) for row in connection.execute(_ALL, {"tenant": tenant})
    }


def estimated(connection: sa.Connection, *, tenant: str | None) -> tuple[Counts, bool]:
    """Return the counts, and whether they are exact: in a small catalog, or of a tenant with few contents."""
    pages = _pages(connection)
    if pages <= SMALL:
        return exact(connection, tenant=tenant), True
    if tenant is not None:
        return _of_tenant(connection, tenant)
    return _sampled(connection, pages), False


def about_present(connection: sa.Connection) -> int:
    """Return how many present copies there are, an estimate in a large catalog."""
    counts, _ = estimated(connection, tenant=None)
    return sum(found.copies for (_, state), found in counts.items() if state is PlacementState.PRESENT)


def _pages(connection: sa.Connection) -> int:
    return int(connection.execute(_PAGES).scalar_one())


def _sampled(connection: sa.Connection, pages: int) -> Counts:
    share = READ / pages
    counts = {_key(row): _scaled(_counts(row), share) for row in connection.execute(_SAMPLE, {"percent": 100 * share})}
    rare: dict[str, dict[tuple[str, PlacementState], Any]] = {kind: {} for kind in _KINDS}
    for row in connection.execute(_RARE, {"most": MOST}):
        rare[row.kind][_key(row)] = row
    for kind, found in rare.items():
        if sum(row.copies for row in found.values()) >= MOST:
            continue  # so many are not rare: the sample tells
        for key in {*counts, *found}:
            known, exactly = counts.get(key, CopyCounts(tenants=None)), found.get(key)
            copies, size = (0, 0) if exactly is None else (exactly.copies, int(exactly.bytes))
            if kind != PlacementState.DOOMED.value:
                counts[key] = replace(known, **{kind: copies})
            elif key[1] is PlacementState.DOOMED:
                counts[key] = replace(known, copies=copies, size=size)
    return counts


def _of_tenant(connection: sa.Connection, tenant: str) -> tuple[Counts, bool]:
    rows = connection.execute(_OF_TENANT, {"tenant": tenant, "contents": CONTENTS}).all()
    share = rows[0].share if rows else 1.0
    counts = {_key(row): _scaled(_counts(row), share) for row in rows}
    if share < 1.0:
        return counts, False
    return {key: replace(found, tenants=1) for key, found in counts.items()}, True


def _key(row: Any) -> tuple[str, PlacementState]:  # noqa: ANN401  a driver's row
    return row.tier, PlacementState(row.state)


def _counts(row: Any) -> CopyCounts:  # noqa: ANN401  as _key
    return CopyCounts(row.copies, int(row.bytes), None, row.unvouched, row.missed, row.refused)


def _scaled(part: CopyCounts, share: float) -> CopyCounts:
    """Return the counts of the whole from those of this part of it."""
    numbers = (part.copies, part.size, part.unvouched, part.missed, part.refused)
    copies, size, unvouched, missed, refused = (round(number / share) for number in numbers)
    return CopyCounts(copies, size, None, unvouched, missed, refused)
