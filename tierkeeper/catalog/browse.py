"""Looking: artifacts by filter, page by page, with their copies; counts per tier."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.policy.rules import Match
from tierkeeper.values.artifacts import Filter

PAGE = 500  # artifacts of one page
_PRESENT = "EXISTS (SELECT FROM placements p WHERE p.blob_id = a.blob_id AND p.tier = :tier AND p.state = 'present')"
_BARE_TYPE = "lower(split_part(a.content_type, ';', 1))"  # without parameters, as policies compare it
_STATS = sa.text(
    "SELECT p.tier, p.state, count(*) AS copies, coalesce(sum(p.stored_size), 0) AS bytes,"
    " count(DISTINCT b.scope) AS tenants, count(*) FILTER (WHERE p.vouched IS NULL) AS unvouched,"
    " count(*) FILTER (WHERE p.missed_at IS NOT NULL AND p.damaged_at IS NULL) AS missed"
    " FROM placements p JOIN blobs b ON b.id = p.blob_id"
    " WHERE p.state IN ('present', 'doomed') AND (CAST(:tenant AS text) IS NULL OR b.scope ="
    " (SELECT scope FROM tenants WHERE id = :tenant)) GROUP BY p.tier, p.state"
)


def select(connection: sa.Connection, filter_: Filter, *, limit: int | None) -> Iterator[ArtifactRow]:
    """Return what matches, by tenant, workflow, name and version, a page at a time over one connection.

    Whoever works between the pages asks for each by itself (:func:`page`), and holds no connection meanwhile.
    """
    found: list[ArtifactRow] = []
    left = limit
    while left is None or left > 0:
        found = page(connection, filter_, after=found[-1] if found else None, limit=left)
        yield from found
        if len(found) < PAGE:
            return
        left = None if left is None else left - len(found)


def page(
    connection: sa.Connection, filter_: Filter, *, after: ArtifactRow | None, limit: int | None
) -> list[ArtifactRow]:
    """Return the next of what matches, in the order of tenant, workflow, name and version; nothing at the end."""
    conditions, arguments = _where(filter_)
    query = sa.text(
        f"SELECT {artifacts.COLUMNS} {artifacts.FROM} WHERE {' AND '.join(conditions)}"
        " AND (n.tenant, n.workflow, n.name, a.version) > (:t, :w, :n, :v)"
        " ORDER BY n.tenant, n.workflow, n.name, a.version LIMIT :size"
    )
    last: tuple[Any, ...] = (
        ("", "", "", 0) if after is None else (after.tenant, after.workflow, after.name, after.version)
    )
    keys = dict(zip("twnv", last, strict=True)) | {"size": PAGE if limit is None else min(PAGE, limit)}
    return artifacts.read_rows(connection.execute(query, {**arguments, **keys}))


def count(connection: sa.Connection, filter_: Filter) -> int:
    """Return how many artifacts match."""
    return _counted(connection, *_where(filter_))


def count_matching(connection: sa.Connection, match: Match) -> int:
    """Return how many live artifacts a policy's match fits (a more specific policy may govern some of them)."""
    given = (
        ("n.tenant = :tenant", "tenant", match.tenant),
        ("n.workflow ~ :workflow", "workflow", match.workflow and glob_regex(match.workflow)),
        ("n.name ~ :name", "name", match.name and glob_regex(match.name)),
        ("a.tags @> CAST(:tags AS jsonb)", "tags", json.dumps(dict(match.tags)) if match.tags else None),
        (f"{_BARE_TYPE} ~ :type", "type", match.content_type and glob_regex(match.content_type)),
        ("a.size >= :least", "least", match.size_min),
        ("a.size <= :most", "most", match.size_max),
    )
    conditions, arguments = _given(given)
    return _counted(connection, ["a.state = 'live'", *conditions], arguments)


def tier_stats(
    connection: sa.Connection, *, tenant: str | None
) -> dict[tuple[str, PlacementState], tuple[int, int, int, int, int]]:
    """Return (copies, bytes as stored, tenants, copies that nobody vouches for, suspects) by tier and state."""
    rows = connection.execute(_STATS, {"tenant": tenant})
    return {(r.tier, PlacementState(r.state)): (r.copies, int(r.bytes), r.tenants, r.unvouched, r.missed) for r in rows}


def ids_of_page(connection: sa.Connection, *, after: UUID, limit: int) -> list[UUID]:
    """Return the ids of live artifacts after an id, in their order."""
    query = sa.text("SELECT id FROM artifacts WHERE state = 'live' AND id > :after ORDER BY id LIMIT :limit")
    return list(connection.execute(query, {"after": after, "limit": limit}).scalars())


def counted_page(connection: sa.Connection, *, after: UUID, limit: int, tenant: str | None) -> list[UUID]:
    """Return the ids of live and of deleted, not yet purged artifacts after an id, in their order."""
    query = sa.text(
        "SELECT id FROM artifacts WHERE state IN ('live', 'deleted') AND id > :after"
        " AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant) ORDER BY id LIMIT :limit"
    )
    return list(connection.execute(query, {"after": after, "limit": limit, "tenant": tenant}).scalars())


def _where(filter_: Filter) -> tuple[list[str], dict[str, Any]]:
    given = (
        ("n.tenant = :tenant", "tenant", filter_.tenant),
        ("n.workflow ~ :workflow", "workflow", filter_.workflow and glob_regex(filter_.workflow)),
        ("n.name ~ :name", "name", filter_.name and glob_regex(filter_.name)),
        ("starts_with(n.name, :prefix)", "prefix", filter_.prefix),
        ("a.state = :state", "state", filter_.state and filter_.state.value),
        (_PRESENT, "tier", filter_.tier),
        ("a.tags @> CAST(:tags AS jsonb)", "tags", json.dumps(dict(filter_.tags)) if filter_.tags else None),
        ("a.created_at <= clock_timestamp() - CAST(:older AS interval)", "older", filter_.older_than),
        ("a.sha256 = :sha256", "sha256", filter_.sha256 and bytes.fromhex(filter_.sha256)),
    )
    conditions, arguments = _given(given)
    if not filter_.all_versions:
        conditions.append("a.version = n.latest_version")
    return conditions or ["true"], arguments


def _given(conditions: Iterable[tuple[str, str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Return, of (condition, parameter, value), the conditions that have a value, and the parameters."""
    given = [(condition, name, value) for condition, name, value in conditions if value is not None]
    return [condition for condition, _, _ in given], {name: value for _, name, value in given}


def _counted(connection: sa.Connection, conditions: Iterable[str], arguments: dict[str, Any]) -> int:
    query = sa.text(f"SELECT count(*) {artifacts.FROM} WHERE {' AND '.join(conditions)}")
    return int(connection.execute(query, arguments).scalar_one())


def glob_regex(glob: str) -> str:
    """Return a PostgreSQL regular expression for a shell glob in which ``*`` crosses ``/`` too."""
    parts = {"*": ".*", "?": "."}
    return "^" + "".join(parts.get(c) or (c if c.isalnum() or c in "_-/ " else "\\" + c) for c in glob) + "$"
