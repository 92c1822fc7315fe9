"""Content rows: the lock for every decision about the content (R12, R13)."""

from collections.abc import Collection, Iterable
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.ids import in_order, new_id
from tierkeeper.catalog.statements import typed

_LOCK = sa.text("SELECT id FROM blobs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_FIND = sa.text("""
    SELECT b.scope, b.sha256, b.id
    FROM blobs b
        JOIN unnest(:scopes, :hashes) AS w(scope, sha256) USING (scope, sha256)
""").bindparams(*typed(scopes="text[]", hashes="bytea[]"))
_TAKE = sa.text("""
    INSERT INTO blobs (id, scope, sha256, size)
    SELECT *
    FROM unnest(:ids, :scopes, :hashes, :sizes) AS w(id, scope, sha256, size)
    ORDER BY scope, sha256
    ON CONFLICT (scope, sha256) DO UPDATE SET size = blobs.size
    RETURNING scope, sha256, id
""").bindparams(*typed(ids="uuid[]", scopes="text[]", hashes="bytea[]", sizes="bigint[]"))
_DROP = sa.text("""
    DELETE FROM blobs b
    WHERE b.id = ANY(:ids)
        AND NOT EXISTS (SELECT FROM placements p WHERE p.blob_id = b.id)
        AND NOT EXISTS (SELECT FROM artifacts a WHERE a.blob_id = b.id)
""")


def lock(connection: sa.Connection, ids: Iterable[UUID]) -> set[UUID]:
    """Lock these blobs in the order of their ids, in a statement of its own; return those that exist."""
    wanted = in_order(ids)
    return set(connection.execute(_LOCK, {"ids": wanted}).scalars()) if wanted else set()


def take(connection: sa.Connection, contents: Collection[tuple[str, bytes, int]]) -> dict[tuple[str, bytes], UUID]:
    """Lock the blob rows of (scope, sha256, size), making those that are missing; return their ids.

    Existing rows are locked by id first (R14); new ones are inserted in one order by every caller.
    """
    known = {(row.scope, bytes(row.sha256)): row.id for row in _find(connection, contents)}
    there = lock(connection, known.values())
    taken = {content: blob for content, blob in known.items() if blob in there}
    fresh = sorted({content for content in contents if content[:2] not in taken})
    if not fresh:
        return taken
    rows = connection.execute(
        _TAKE,
        {
            "ids": [new_id() for _ in fresh],
            "scopes": [scope for scope, _, _ in fresh],
            "hashes": [sha256 for _, sha256, _ in fresh],
            "sizes": [size for _, _, size in fresh],
        },
    )
    return taken | {(row.scope, bytes(row.sha256)): row.id for row in rows}


def _find(
    connection: sa.Connection, contents: Collection[tuple[str, bytes, int]]
) -> sa.CursorResult[tuple[str, bytes, UUID]]:
    return connection.execute(
        _FIND, {"scopes": [scope for scope, _, _ in contents], "hashes": [sha256 for _, sha256, _ in contents]}
    )


def drop_unused(connection: sa.Connection, ids: Iterable[UUID]) -> None:
    """Delete those of these locked blobs that have no placement and no artifact left."""
    connection.execute(_DROP, {"ids": in_order(ids)})
