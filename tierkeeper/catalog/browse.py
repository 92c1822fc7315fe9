"""Lists of artifacts by filter, page by page, and counts of copies by tier."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import Placement
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.artifacts import ARTIFACTS, NAMED, NAMES
from tierkeeper.catalog.conditions import KEPT, REFUSED, SUSPECT, UNVOUCHED
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.catalog.statements import typed, where_given
from tierkeeper.catalog.tenant_filter import OF_TENANT, OF_TENANTS_SCOPE, of_tenant
from tierkeeper.policy.rules import Match
from tierkeeper.values.artifacts import Filter

PAGE = 500  # artifacts of one page
#: without parameters, as policies compare it
_BARE_TYPE = sa.func.lower(sa.func.split_part(ARTIFACTS.c.content_type, ";", 1))
_STATS = sa.text(f"""
    SELECT p.tier, p.state, count(*) AS copies, coalesce(sum(p.stored_size), 0) AS bytes,
        count(DISTINCT b.scope) AS tenants, count(*) FILTER (WHERE {UNVOUCHED}) AS unvouched,
        count(*) FILTER (WHERE {SUSPECT}) AS missed, count(*) FILTER (WHERE {REFUSED}) AS refused
    FROM placements p JOIN blobs b ON b.id = p.blob_id
    WHERE (({KEPT}) OR ({REFUSED}))
        AND {OF_TENANTS_SCOPE}
    GROUP BY p.tier, p.state
""").bindparams(*typed(tenant="text"))


@dataclass(frozen=True, slots=True)
class CopyCounts:
    """The copies of one tier in one state; bytes as stored."""

    copies: int = 0
    size: int = 0
    tenants: int = 0
    unvouched: int = 0
    missed: int = 0
    refused: int = 0


def select(connection: sa.Connection, filter_: Filter, *, limit: int | None) -> Iterator[ArtifactRow]:
    """Yield the artifacts that match, by tenant, workflow, name and version, a page at a time over one connection.

    A caller that works between the pages asks for each with :func:`page`, and holds no connection in between.
    """
    rows: list[ArtifactRow] = []
    remaining = limit
    while remaining is None or remaining > 0:
        rows = page(connection, filter_, after=rows[-1] if rows else None, limit=remaining)
        yield from rows
        if len(rows) < PAGE:
            return
        remaining = None if remaining is None else remaining - len(rows)


def page(
    connection: sa.Connection, filter_: Filter, *, after: ArtifactRow | None, limit: int | None
) -> list[ArtifactRow]:
    """Return the next artifacts that match, by tenant, workflow, name and version; none at the end."""
    last: tuple[Any, ...] = (
        ("", "", "", 0) if after is None else (after.tenant, after.workflow, after.name, after.version)
    )
    key = (NAMES.c.tenant, NAMES.c.workflow, NAMES.c.name, ARTIFACTS.c.version)
    statement = sa.select(sa.text(artifacts.COLUMNS)).select_from(NAMED).where(*_fitting(filter_))
    size = PAGE if limit is None else min(PAGE, limit)
    return artifacts.read_rows(connection.execute(statement.where(sa.tuple_(*key) > last).order_by(*key).limit(size)))


def count(connection: sa.Connection, filter_: Filter) -> int:
    """Return how many artifacts match."""
    return _counted(connection, _fitting(filter_))


def count_matching(connection: sa.Connection, match: Match) -> int:
    """Return how many live artifacts a policy's match fits (a more specific policy may govern some of them)."""
    conditions = (
        ARTIFACTS.c.state == ArtifactState.LIVE.value,
        *of_tenant(NAMES.c.tenant, match.tenant),
        *where_given(match.workflow, lambda glob: _matches(NAMES.c.workflow, glob)),
        *where_given(match.name, lambda glob: _matches(NAMES.c.name, glob)),
        *where_given(match.tags or None, lambda tags: ARTIFACTS.c.tags.contains(dict(tags))),
        *where_given(match.content_type, lambda glob: _matches(_BARE_TYPE, glob)),
        *where_given(match.size_min, lambda least: ARTIFACTS.c.size >= least),
        *where_given(match.size_max, lambda most: ARTIFACTS.c.size <= most),
    )
    return _counted(connection, conditions)


def tier_stats(connection: sa.Connection, *, tenant: str | None) -> dict[tuple[str, PlacementState], CopyCounts]:
    """Return the counts by tier and state; of copies that are being deleted, those alone whose delete was refused."""
    rows = connection.execute(_STATS, {"tenant": tenant})
    return {
        (r.tier, PlacementState(r.state)): CopyCounts(
            r.copies, int(r.bytes), r.tenants, r.unvouched, r.missed, r.refused
        )
        for r in rows
    }


def ids_of_page(connection: sa.Connection, *, after: UUID, limit: int) -> list[UUID]:
    """Return the ids of live artifacts after an id, in their order."""
    query = sa.text("SELECT id FROM artifacts WHERE state = 'live' AND id > :after ORDER BY id LIMIT :limit")
    return list(connection.execute(query, {"after": after, "limit": limit}).scalars())


def counted_page(connection: sa.Connection, *, after: UUID, limit: int, tenant: str | None) -> list[UUID]:
    """Return the ids of live and of deleted, not yet purged artifacts after an id, in their order."""
    query = sa.text(f"""
        SELECT id
        FROM artifacts
        WHERE state IN ('live', 'deleted') AND id > :after AND {OF_TENANT}
        ORDER BY id LIMIT :limit
    """).bindparams(*typed(tenant="text"))
    return list(connection.execute(query, {"after": after, "limit": limit, "tenant": tenant}).scalars())


def _fitting(filter_: Filter) -> list[sa.ColumnElement[bool]]:
    return [
        *of_tenant(NAMES.c.tenant, filter_.tenant),
        *where_given(filter_.workflow, lambda glob: _matches(NAMES.c.workflow, glob)),
        *where_given(filter_.name, lambda glob: _matches(NAMES.c.name, glob)),
        *where_given(filter_.prefix, lambda prefix: sa.func.starts_with(NAMES.c.name, prefix)),
        *where_given(filter_.state, lambda state: ARTIFACTS.c.state == state.value),
        *where_given(filter_.tier, _present),
        *where_given(filter_.tags or None, lambda tags: ARTIFACTS.c.tags.contains(dict(tags))),
        *where_given(filter_.older_than, lambda age: ARTIFACTS.c.created_at <= sa.func.statement_timestamp() - age),
        *where_given(filter_.sha256, lambda sha256: ARTIFACTS.c.sha256 == bytes.fromhex(sha256)),
        *([] if filter_.all_versions else [ARTIFACTS.c.version == NAMES.c.latest_version]),
    ]


def _present(tier: str) -> sa.ColumnElement[bool]:
    copy = Placement.__table__.alias("p").c
    present = copy.state == PlacementState.PRESENT.value
    return sa.exists().where(copy.blob_id == ARTIFACTS.c.blob_id, copy.tier == tier, present)


def _matches(column: sa.ColumnElement[str], glob: str) -> sa.ColumnElement[bool]:
    return column.regexp_match(glob and glob_regex(glob))


def _counted(connection: sa.Connection, conditions: Iterable[sa.ColumnElement[bool]]) -> int:
    statement = sa.select(sa.func.count()).select_from(NAMED).where(*conditions)
    return int(connection.execute(statement).scalar_one())


def glob_regex(glob: str) -> str:
    """Return a PostgreSQL regular expression for a shell glob in which ``*`` crosses ``/`` too."""
    parts = {"*": ".*", "?": "."}
    return "^" + "".join(parts.get(c) or (c if c.isalnum() or c in "_-/ " else "\\" + c) for c in glob) + "$"
