"""Which items of a batch to store are there already: one statement, without locks, that only ever answers yes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog import recordset
from tierkeeper.catalog.conditions import VOUCHED
from tierkeeper.catalog.statements import typed

#: the tiers in which a copy counts (R15, R20), as ``engine/copies/fates.py`` ``good`` says of a row
_COUNTING: Final = f"""
    ARRAY(
        SELECT tier
        FROM placements
        WHERE blob_id = a.blob_id
            AND {VOUCHED}
            AND missed_at IS NULL
            -- asked for by its id alone: there may be any number of purged ones
            AND (SELECT named.state FROM artifacts named WHERE named.id = artifact_id) IS DISTINCT FROM 'purged'
        ORDER BY tier
    )
"""
_FIND = sa.text(f"""
    SELECT w.position, a.id, a.version, a.size, a.wanted, c.tiers
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS w(
            position bigint, tenant text, workflow text, name text,
            sha256 bytea, content_type text, metadata jsonb, tags jsonb
        )
        JOIN tenants t ON t.id = w.tenant
        -- each row by its unique index (OFFSET 0 keeps these apart): a plan for a catalog that nobody analysed yet may
        -- go through all of a tenant's rows for each item
        CROSS JOIN LATERAL (
            SELECT id, latest_version
            FROM names
            WHERE tenant = w.tenant AND workflow = w.workflow AND name = w.name
            OFFSET 0
        ) AS n
        CROSS JOIN LATERAL (
            SELECT *
            FROM artifacts
            WHERE name_id = n.id AND version = n.latest_version
            OFFSET 0
        ) AS a
        CROSS JOIN LATERAL (SELECT scope FROM blobs WHERE id = a.blob_id OFFSET 0) AS b
        CROSS JOIN LATERAL (SELECT {_COUNTING} AS tiers OFFSET 0) AS c
    WHERE a.state = 'live'
        AND b.scope = t.scope
        AND a.sha256 = w.sha256
        AND a.content_type = w.content_type
        AND a.metadata = w.metadata
        AND a.tags = w.tags
        AND a.policy_id = ANY(:policies)
        AND a.wanted <> '{{}}'
        AND a.wanted <@ c.tiers
""").bindparams(*typed(policies="uuid[]"))


@dataclass(frozen=True, slots=True)
class AskedItem:
    """An item of a batch, as it would be stored; ``position``: in the batch."""

    position: int
    tenant: str
    workflow: str
    name: str
    sha256: bytes
    content_type: str
    metadata: dict[str, object]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class UnchangedVersion:
    """The live latest version that an item equals; ``tiers`` have copies that count, those of ``wanted`` among them."""

    position: int
    artifact: UUID
    version: int
    size: int
    wanted: frozenset[str]
    tiers: tuple[str, ...]


def find(
    connection: sa.Connection, items: Sequence[AskedItem], *, policies: Collection[UUID]
) -> list[UnchangedVersion]:
    """Return the items that equal the latest version of their name, with all that it wants in copies that count.

    ``policies``: the active ones; a version that the last commit decided by another is not returned.
    """
    found = []
    for part in recordset.parts([recordset.columns(item) for item in items]):
        for row in connection.execute(_FIND, {"rows": part, "policies": list(policies)}):
            wanted, tiers = frozenset(row.wanted), tuple(row.tiers)
            found.append(UnchangedVersion(row.position, row.id, row.version, row.size, wanted, tiers))
    return found
