"""Lists of artifacts by filter, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.placement import PLACEMENTS
from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.artifacts import ARTIFACT, NAME, NAMED
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.catalog.statements import anew, typed, where_given
from tierkeeper.catalog.tenant_filter import OF_TENANT, of_tenant
from tierkeeper.policy import patterns
from tierkeeper.policy.rules import Match
from tierkeeper.values.artifacts import Filter

PAGE = 500  # artifacts of one page
#: matches of a condition with an index up to which they are read and sorted; where more match, a page of the list in
#: its order ends soon. The square root of a page times a million artifacts: both ways cost about the same there
FEW = 20_000
_PATTERN_FIX = "Write * for any characters, ? for one, [ab] for one of these, [[] for a '['."
#: artifacts that are looked at to count what a policy fits
MOST_COUNTED = 100_000


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
    key = (NAME.c.tenant, NAME.c.workflow, NAME.c.name, ARTIFACT.c.version)
    statement = anew(sa.select(sa.text(artifacts.COLUMNS)).select_from(NAMED).where(*_fitting(filter_)))
    few = _few(connection, filter_)
    if few is not None:
        statement = statement.where(ARTIFACT.c.id == sa.any_(sa.bindparam("few", few, type_=ARRAY(sa.Uuid()))))
    statement = statement.order_by(*key)
    size = PAGE if limit is None else min(PAGE, limit)
    if after is None:
        return artifacts.read_rows(connection.execute(statement.limit(size)))
    rest: list[ArtifactRow] = []
    if filter_.all_versions:
        # asked for apart, by their own index: together, a page reads all versions of the name before these
        further = (ARTIFACT.c.name_id == after.name_id, ARTIFACT.c.version > after.version)
        of_name = statement.where(*further).order_by(None).order_by(ARTIFACT.c.version)
        rest = artifacts.read_rows(connection.execute(of_name.limit(size)))
    for beyond in _beyond(after):
        if len(rest) < size:
            rest += artifacts.read_rows(connection.execute(statement.where(*beyond).limit(size - len(rest))))
    return rest


def _beyond(after: ArtifactRow) -> Iterator[Sequence[sa.ColumnElement[bool]]]:
    """Yield the conditions of the names after an artifact's, in their order, to be asked for one by one.

    The index begins at none of them where one condition compares all three columns and another one gives the first of
    them, as that of a tenant does: it then reads all names before these, and the pages of a list cost its square.
    """
    tenant, workflow = NAME.c.tenant == after.tenant, NAME.c.workflow == after.workflow
    yield tenant, workflow, NAME.c.name > after.name
    yield tenant, NAME.c.workflow > after.workflow
    yield (NAME.c.tenant > after.tenant,)


def _few(connection: sa.Connection, filter_: Filter) -> list[UUID] | None:
    """Return the artifacts that meet the condition which an index answers best, None without one or where many do.

    PostgreSQL cannot tell how soon a list in the order of names meets what is rare.
    """
    artifact = ARTIFACT.c
    chosen = anew(sa.select(artifact.id).limit(FEW + 1))
    if filter_.sha256 is not None:
        chosen = chosen.where(_has_content(filter_.sha256))
    elif filter_.tags:
        chosen = chosen.where(_tagged(filter_.tags))
    elif filter_.tier is not None:
        copy = PLACEMENTS.alias("p")
        present = copy.c.state == PlacementState.PRESENT.value
        chosen = chosen.join_from(copy, ARTIFACT, artifact.blob_id == copy.c.blob_id)
        chosen = chosen.where(copy.c.tier == filter_.tier, present)
    elif filter_.state not in {None, ArtifactState.LIVE}:
        chosen = chosen.where(_in_state(filter_.state))
    elif filter_.older_than is not None:
        chosen = chosen.where(_older(filter_.older_than)).order_by(artifact.created_at)
    else:
        return None
    found = list(connection.execute(chosen).scalars())
    return found if len(found) <= FEW else None


def count(connection: sa.Connection, filter_: Filter) -> int:
    """Return how many artifacts match."""
    statement = anew(sa.select(sa.func.count()).select_from(NAMED).where(*_fitting(filter_)))
    return int(connection.execute(statement).scalar_one())


def count_matching(connection: sa.Connection, match: Match) -> tuple[int, bool]:
    """Return how many live artifacts a policy's match fits (a more specific policy may govern some of them).

    The second value is False where more than :data:`MOST_COUNTED` could fit: only so many of them were looked at.
    """
    artifact = ARTIFACT.c
    could = (
        sa.select(NAME.c.workflow, NAME.c.name, artifact.content_type, artifact.size)
        .select_from(NAMED)
        .where(
            artifact.state == ArtifactState.LIVE.value,
            *of_tenant(NAME.c.tenant, match.tenant),
            *where_given(match.workflow, lambda glob: sa.func.starts_with(NAME.c.workflow, patterns.beginning(glob))),
            *where_given(match.name, lambda glob: sa.func.starts_with(NAME.c.name, patterns.beginning(glob))),
            *where_given(dict(match.tags) or None, _tagged),
        )
        .limit(MOST_COUNTED)
        .subquery("could")
    )
    bare_type = sa.func.lower(sa.func.split_part(could.c.content_type, ";", 1))  # as policies compare it
    conditions = (
        *where_given(match.workflow, lambda glob: _matches(could.c.workflow, glob)),
        *where_given(match.name, lambda glob: _matches(could.c.name, glob)),
        *where_given(match.content_type, lambda glob: _matches(bare_type, glob)),
        *where_given(match.size_min, lambda least: could.c.size >= least),
        *where_given(match.size_max, lambda most: could.c.size <= most),
    )
    fits = sa.func.count().filter(*conditions) if conditions else sa.func.count()
    fitting, looked_at = connection.execute(anew(sa.select(fits, sa.func.count()).select_from(could))).one()
    return fitting, looked_at < MOST_COUNTED


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
        *of_tenant(NAME.c.tenant, filter_.tenant),
        *where_given(filter_.workflow, lambda glob: _matches(NAME.c.workflow, glob)),
        *where_given(filter_.name, lambda glob: _matches(NAME.c.name, glob)),
        *where_given(filter_.prefix, lambda prefix: sa.func.starts_with(NAME.c.name, prefix)),
        *where_given(filter_.state, _in_state),
        *where_given(filter_.tier, _present),
        *where_given(filter_.tags or None, _tagged),
        *where_given(filter_.older_than, _older),
        *where_given(filter_.sha256, _has_content),
        *([] if filter_.all_versions else [ARTIFACT.c.version == NAME.c.latest_version]),
    ]


def _in_state(state: ArtifactState) -> sa.ColumnElement[bool]:
    """Return the condition, of another state than live in the form that an index of these answers."""
    condition = ARTIFACT.c.state == state.value
    return condition if state is ArtifactState.LIVE else sa.and_(condition, sa.text("a.state <> 'live'"))


def _older(age: timedelta) -> sa.ColumnElement[bool]:
    return ARTIFACT.c.created_at <= sa.func.statement_timestamp() - age


def _has_content(sha256: str) -> sa.ColumnElement[bool]:
    return ARTIFACT.c.sha256 == bytes.fromhex(sha256)


def _tagged(tags: Mapping[str, str]) -> sa.ColumnElement[bool]:
    """Return the condition, in the form that the index of artifacts with tags answers."""
    return sa.and_(ARTIFACT.c.tags.contains(dict(tags)), sa.text("a.tags <> '{}'::jsonb"))


def _present(tier: str) -> sa.ColumnElement[bool]:
    copy = PLACEMENTS.alias("p").c
    present = copy.state == PlacementState.PRESENT.value
    return sa.exists().where(copy.blob_id == ARTIFACT.c.blob_id, copy.tier == tier, present)


def _matches(column: sa.ColumnElement[str], glob: str) -> sa.ColumnElement[bool]:
    return column.regexp_match(glob_regex(glob))


def glob_regex(glob: str) -> str:
    """Return a pattern of a filter as a regular expression of PostgreSQL. Raises InvalidInput for one of no meaning."""
    problem = patterns.problem(glob)
    if problem is not None:
        raise InvalidInput(field="pattern", value=glob, problem=problem, fix=_PATTERN_FIX)
    return patterns.regex(glob)
