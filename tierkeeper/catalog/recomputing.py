"""The pages of a recompute: the artifacts that an edited policy may govern, or may have governed before.

A page is so many versions in the order of their names, however few of them fit, of so many names, however few of these
begin as the policy's do: one query goes no further. What is narrowed by SQL is a little wider than what a policy
matches: the decision about each artifact is the policy's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.statements import anew, typed
from tierkeeper.policy import patterns
from tierkeeper.policy.rules import Match

#: tenants that are asked for in one transaction
_TENANTS_AT_ONCE: Final = 100
#: reaches of one run: each page reads and writes them all
_REACHES: Final = 200
#: names that are looked at for a page, for each of its rows
_NAMES_A_ROW: Final = 10
#: a version after every other
_LAST_VERSION: Final = 2**63 - 1
#: a plan for any beginning of names cannot use the index of names; one that sorts reads all names of a workflow
_PLANS = sa.text("""
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_sort', 'off', true)
""")
_TENANT = sa.text("SELECT id FROM tenants WHERE id > :after ORDER BY id LIMIT 1")
#: The names of a reach from a place on: those of its workflow, and then those of the workflows after it. Where one
#: condition compares both columns and another gives the beginning of the workflow, the index begins at the latter.
_OF_WORKFLOW: Final = ("n.workflow = :after_workflow AND n.name >= :after_name", "n.name")
_OF_LATER: Final = ("n.workflow > :after_workflow AND starts_with(n.workflow, :workflow)", "n.workflow, n.name")


def _names(which: str, order: str) -> str:
    return f"""
        SELECT n.id, n.workflow, n.name
        FROM names n
        WHERE n.tenant = :tenant AND {which}
        ORDER BY {order}
    """


def _page(which: str, order: str) -> sa.TextClause:
    """Return the next versions of these names, name by name in the order of the index, which the planner would leave.

    Of the name that the last page ended with, they are those after the last one.
    """
    return anew(
        sa.text(f"""
        SELECT n.workflow, n.name, a.version, a.id, a.fits
        FROM ({_names(which, order)} LIMIT :names) AS n
            CROSS JOIN LATERAL (
                SELECT a.id, a.version,
                    a.state = 'live' AND a.tags @> :tags AND a.size BETWEEN :size_min AND :size_max AS fits
                FROM artifacts a
                WHERE a.name_id = n.id
                    AND a.version > CASE
                        WHEN (n.workflow, n.name) = (:after_workflow, :after_name) THEN :after_version ELSE 0
                    END
                ORDER BY a.version LIMIT :rows
            ) AS a
        WHERE starts_with(n.name, :name)
        ORDER BY {order}, a.version LIMIT :rows
    """).bindparams(*typed(tags="jsonb", size_min="bigint", size_max="bigint", after_version="bigint", rows="bigint"))
    )


def _last_name(which: str, order: str) -> sa.TextClause:
    """Return the last name that a page looks at; none where it has fewer."""
    return anew(sa.text(f"{_names(which, order)} OFFSET :names - 1 LIMIT 1").bindparams(*typed(names="bigint")))


_PAGE_OF_WORKFLOW, _PAGE_OF_LATER = _page(*_OF_WORKFLOW), _page(*_OF_LATER)
_LAST_OF_WORKFLOW, _LAST_OF_LATER = _last_name(*_OF_WORKFLOW), _last_name(*_OF_LATER)
_LIVE = sa.text("SELECT id FROM artifacts WHERE state = 'live' AND id > :after ORDER BY id LIMIT :rows")
_RUNNING = sa.text("SELECT arguments FROM runs WHERE id = :id AND state = 'running' FOR NO KEY UPDATE")
_MOVE = sa.text("UPDATE runs SET arguments = arguments || :moved WHERE id = :id").bindparams(*typed(moved="jsonb"))


@dataclass(frozen=True, slots=True)
class Reach:
    """The artifacts that a match may fit: its tenant, the beginnings of workflow and name, tags and sizes."""

    tenant: str | None
    workflow: str
    name: str
    tags: tuple[tuple[str, str], ...]
    size_min: int
    size_max: int

    @classmethod
    def of(cls, match: Match) -> Self:
        """Return the reach of a match."""
        return cls(
            tenant=match.tenant,
            workflow=patterns.beginning(match.workflow or "*"),
            name=patterns.beginning(match.name or "*"),
            tags=match.tags,
            size_min=match.size_min or 0,
            size_max=2**63 - 1 if match.size_max is None else match.size_max,
        )

    def covers(self, other: "Reach") -> bool:
        """Return True if this reach has all that the other one has."""
        return (
            self.tenant in {None, other.tenant}
            and other.workflow.startswith(self.workflow)
            and other.name.startswith(self.name)
            and {*self.tags} <= {*other.tags}
            and self.size_min <= other.size_min
            and self.size_max >= other.size_max
        )


def reaches_of(matches: Iterable[Match]) -> list[Reach]:
    """Return what these matches reach together: wider where they are too many to be kept one by one."""
    reaches = dict.fromkeys(map(Reach.of, matches))
    if len(reaches) > _REACHES:
        reaches = dict.fromkeys(Reach.of(Match(tenant=reach.tenant)) for reach in reaches)
    if len(reaches) > _REACHES:
        return [Reach.of(Match())]
    return [reach for reach in reaches if not any(other.covers(reach) for other in reaches if other != reach)]


@dataclass(frozen=True, slots=True)
class RecomputeArguments:
    """The edited policies, such as ``drafts v2``, and what they reach, before and after the edit."""

    policies: Sequence[str]
    reaches: Sequence[Reach]

    def as_json(self) -> Mapping[str, Any]:
        """Return the stored JSON; a process of the previous release reads ``after``, and recomputes all artifacts."""
        return {
            "policies": list(self.policies),
            "after": str(UUID(int=0)),
            "reaches": [asdict(reach) for reach in self.reaches],
        }


@dataclass(frozen=True, slots=True)
class Page:
    """The artifacts of a page, where the next page begins, and how many versions, or tenants, were read for it."""

    ids: Sequence[UUID]
    moved: Mapping[str, Any]
    read: int


def next_page(connection: sa.Connection, run: UUID, *, rows: int) -> Page | None:
    """Lock the run of a recompute and return its next page; None at its end, or if the run does not work any more."""
    arguments = connection.execute(_RUNNING, {"id": run}).scalar()
    if arguments is None:
        return None
    if "reaches" not in arguments:
        return _of_all(connection, UUID(arguments["after"]), rows=rows)
    connection.execute(_PLANS)
    at = _At(**arguments.get("at", {}))
    reaches = [Reach(**reach) for reach in arguments["reaches"]]
    for _ in range(_TENANTS_AT_ONCE):
        if at.reach >= len(reaches):
            return None
        reach = reaches[at.reach]
        if not at.begun:
            at = _next_tenant(connection, reach, at)
            continue
        found, reached = _look(connection, reach, at, rows)
        if reached is None:
            at = _At(at.reach + 1) if reach.tenant is not None else _At(at.reach, at.tenant)
            continue
        at = reached
        if not found:
            continue
        return Page([row.id for row in found if row.fits], {"at": asdict(at)}, len(found))
    return Page([], {"at": asdict(at)}, _TENANTS_AT_ONCE)


def move(connection: sa.Connection, run: UUID, page: Page) -> None:
    """Record that a page is done."""
    connection.execute(_MOVE, {"id": run, "moved": dict(page.moved)})


@dataclass(frozen=True, slots=True)
class _At:
    """Where a page begins: in which reach, tenant (the last one, until ``begun``), after which version."""

    reach: int = 0
    tenant: str = ""
    workflow: str = ""
    name: str = ""
    version: int = 0
    begun: bool = False


def _look(connection: sa.Connection, reach: Reach, at: _At, rows: int) -> tuple[Sequence[sa.Row[Any]], _At | None]:
    """Return the next rows of a tenant, and where they end; None: the tenant has no further ones."""
    found: list[sa.Row[Any]] = []
    for page, last_name in ((_PAGE_OF_WORKFLOW, _LAST_OF_WORKFLOW), (_PAGE_OF_LATER, _LAST_OF_LATER)):
        given = _parameters(reach, at, rows) | {"rows": rows - len(found)}
        found += connection.execute(page, given)
        if len(found) == rows:
            break
        name = connection.execute(last_name, given).first()
        if name is not None:
            return found, _At(at.reach, at.tenant, name.workflow, name.name, _LAST_VERSION, begun=True)
    if not found:
        return found, None
    last = found[-1]
    return found, _At(at.reach, at.tenant, last.workflow, last.name, last.version, begun=True)


def _next_tenant(connection: sa.Connection, reach: Reach, at: _At) -> _At:
    if reach.tenant is not None:
        return _At(at.reach, reach.tenant, begun=True)
    tenant: str | None = connection.execute(_TENANT, {"after": at.tenant}).scalar()
    return _At(at.reach + 1) if tenant is None else _At(at.reach, tenant, begun=True)


def _parameters(reach: Reach, at: _At, rows: int) -> dict[str, Any]:
    return {
        "tenant": at.tenant,
        "workflow": reach.workflow,
        "name": reach.name,
        "tags": dict(reach.tags),
        "size_min": reach.size_min,
        "size_max": reach.size_max,
        "after_workflow": at.workflow,
        "after_name": at.name,
        "after_version": at.version,
        "rows": rows,
        "names": _NAMES_A_ROW * rows,
    }


def _of_all(connection: sa.Connection, after: UUID, *, rows: int) -> Page | None:
    """Return a page by id, of a recompute that a process of the previous release or a migration began."""
    ids = list(connection.execute(_LIVE, {"after": after, "rows": rows}).scalars())
    return Page(ids, {"after": str(ids[-1])}, len(ids)) if ids else None
