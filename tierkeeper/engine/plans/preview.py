"""Plan what a run would do, item by item with reasons: the run's own decisions, without carrying them out.

``due`` covers the due artifacts, as the next run does. ``plan`` covers all artifacts, as of any time, and optionally
under policies that are not active yet: what the first run at that time would do if no run came before it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import callers
from tierkeeper.base.ids import in_order
from tierkeeper.catalog import artifacts, browse, placements, schedule
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.policies import in_force
from tierkeeper.policy import document
from tierkeeper.policy.decision import Action, Decision
from tierkeeper.policy.rules import Policy
from tierkeeper.policy.tiers import ordered
from tierkeeper.values.plans import PlanItemView

_PAGE = 500
_BRAKED = "the brake: too many are to be deleted at once, so a sweep asks first"


@dataclass(frozen=True, slots=True)
class View:
    """The scope of a plan: one tenant or all (None), as of when (None: now), under which policies.

    ``candidates``: policies that count as active, each in place of the active one of its name.
    """

    tenant: str | None = None
    as_of: datetime | None = None
    candidates: Sequence[Policy] = ()

    def moment(self, connection: sa.Connection, engine: Engine) -> Moment:
        """Return the moment of this transaction with the candidates of this view active."""
        moment = Moment.read(connection, engine)
        return moment.under(self.candidates) if self.candidates else moment


def view_of(engine: Engine, *, tenant: str | None, as_of: datetime | None, text: str | None, source: str) -> View:
    """Return the view for these options; ``text``: policies not active yet, checked as ``policy apply`` does."""
    if text is None:
        return View(tenant, as_of)
    parsed = document.parse(text, source=source, tiers=engine.tiers)
    changes = in_force.apply(engine.catalog, parsed, caller=callers.READER, dry_run=True).changes
    given = zip(parsed, changes, strict=True)
    return View(tenant, as_of, [dataclasses.replace(policy, version=change.version) for policy, change in given])


def due(engine: Engine, *, tenant: str | None, as_of: datetime | None, limit: int | None) -> Iterator[PlanItemView]:
    """Yield one item per artifact due now, or due by ``as_of``, longest due first."""
    view = View(tenant, as_of)
    after = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    remaining = limit
    while remaining is None or remaining > 0:
        size = _PAGE if remaining is None else min(_PAGE, remaining)
        with engine.catalog.reading() as connection:
            moment = view.moment(connection, engine)
            page = schedule.due_page(connection, as_of=as_of or moment.now, after=after, limit=size, tenant=tenant)
            items = _items(connection, engine, view, moment, [artifact for artifact, _ in page])
        yield from (items[artifact] for artifact, _ in page)
        if len(page) < size:
            return
        after = (page[-1][1], page[-1][0])
        remaining = None if remaining is None else remaining - len(page)


def plan(engine: Engine, view: View, *, limit: int | None = None) -> Iterator[PlanItemView]:
    """Yield one item per artifact that a run would change, or would change if nothing refused it."""
    after, remaining = UUID(int=0), limit
    while True:
        with engine.catalog.reading() as connection:
            moment = view.moment(connection, engine)
            ids = browse.counted_page(connection, after=after, limit=_PAGE, tenant=view.tenant)
            items = _items(connection, engine, view, moment, ids)
        for artifact in ids:
            item = items[artifact]
            if item.action == Action.KEEP.value and not item.blocked:
                continue
            yield item
            remaining = None if remaining is None else remaining - 1
            if remaining == 0:
                return
        if len(ids) < _PAGE:
            return
        after = ids[-1]


def _items(
    connection: sa.Connection, engine: Engine, view: View, moment: Moment, ids: Sequence[UUID]
) -> dict[UUID, PlanItemView]:
    """Decide about each of these artifacts; return the items by artifact."""
    at = view.as_of or moment.now
    rows = artifacts.load(connection, ids)
    copies = placements.of_blobs(connection, in_order(r.blob_id for r in rows if r.blob_id))
    dues = schedule.of_many(connection, ids)
    decided = [(row, moment.coming(row, at)) for row in rows]
    stopped: set[UUID] = set()
    if view.as_of is None and not view.candidates:  # the brake counts only what is due now by active policies
        wishes = [(row, decision.policy) for row, decision in decided if brake.deletes(row, decision)]
        stopped = brake.foreseen(connection, engine.settings, moment, wishes)
    return {
        row.id: _item(
            engine,
            row,
            decision,
            copies.get(row.blob_id, []) if row.blob_id else [],
            stopped=row.id in stopped,
            due_at=dues[row.id].due_at if row.id in dues else at,
            at=at,
        )
        for row, decision in decided
    }


def action_of(row: ArtifactRow, decision: Decision, copies: Sequence[PlacementRow]) -> str:
    """Return the action of a run: ``move``, ``delete``, ``destroy`` or ``keep``."""
    unlike = decision.tiers != row.wanted or fates.lacking(decision.tiers, copies)
    return "move" if decision.action is Action.KEEP and unlike else decision.action.value


def target_of(engine: Engine, decision: Decision) -> tuple[str, ...]:
    """Return the configured tiers that the action aims at, hottest first; empty for a delete."""
    # a delete leaves the copies in place until the undo window ends, but its aim is that there are none
    target = () if decision.action is Action.DELETE else decision.tiers
    return ordered([tier for tier in target if tier in engine.stores], engine.tiers)


def _item(
    engine: Engine,
    row: ArtifactRow,
    decision: Decision,
    copies: Sequence[PlacementRow],
    *,
    stopped: bool,
    due_at: datetime,
    at: datetime,
) -> PlanItemView:
    present = {p.tier for p in copies if fates.good(p)}
    return PlanItemView(
        ref=row.ref,
        artifact=row.id,
        action=action_of(row, decision, copies),
        source=ordered([tier for tier in present if tier in engine.stores], engine.tiers),
        target=target_of(engine, decision),
        rule=decision.rule,
        reason=decision.reason,
        due_at=due_at,
        size=row.size,
        age_days=round((at - row.created_at) / timedelta(days=1), 6),
        blocked=(_BRAKED,) if stopped else decision.blocked if decision.refused else (),
        policy=decision.policy.label,
        revision=row.revision,
    )
