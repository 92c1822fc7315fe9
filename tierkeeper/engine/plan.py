"""What a rotation would do now, item by item with reasons: the same decisions, nothing done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tierkeeper.base.states import PlacementState
from tierkeeper.base.values import PlanItem
from tierkeeper.catalog import artifacts, placements, schedule
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.context import Engine
from tierkeeper.policy.decide import decide
from tierkeeper.policy.decision import Action, Decision
from tierkeeper.policy.tiers import ordered

_PAGE = 500


def plan(engine: Engine, *, tenant: str | None, as_of: datetime | None, limit: int | None) -> Iterator[PlanItem]:
    """Yield one item per due artifact, oldest due first; ``as_of`` looks into the future."""
    after = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        with engine.catalog.reading() as connection:
            now = as_of or catalog_now(connection)
            governance = engine.book.refresh(connection)
            due = schedule.due_page(connection, as_of=now, after=after, limit=size, tenant=tenant)
            rows = {row.id: row for row in artifacts.load(connection, [artifact for artifact, _ in due])}
            copies = placements.of_blobs(connection, sorted({r.blob_id for r in rows.values() if r.blob_id}))
        for artifact, due_at in due:
            row = rows[artifact]
            decision = decide(row.facts(now), governance.of(row.subject), now=now, default_undo=engine.default_undo)
            here = copies.get(row.blob_id, []) if row.blob_id else []
            present = {p.tier for p in here if p.state is PlacementState.PRESENT}
            yield _item(engine, row, decision, present, due_at=due_at, now=now)
        if len(due) < size:
            return
        after = (due[-1][1], due[-1][0])
        left = None if left is None else left - len(due)


def _item(
    engine: Engine, row: ArtifactRow, decision: Decision, present: set[str], *, due_at: datetime, now: datetime
) -> PlanItem:
    moves = decision.action is Action.KEEP and decision.tiers != frozenset(present)
    known = [tier for tier in present if tier in engine.stores]
    # a delete leaves its copies where they are until the undo window ends, but what it is for is nowhere
    target = () if decision.action is Action.DELETE else decision.tiers
    return PlanItem(
        ref=row.ref,
        artifact=row.id,
        action="move" if moves else decision.action.value,
        source=ordered(known, engine.tiers),
        target=ordered([t for t in target if t in engine.stores], engine.tiers),
        rule=decision.rule,
        reason=decision.reason,
        due_at=due_at,
        size=row.size,
        age_days=round((now - row.created_at) / timedelta(days=1), 3),
        blocked=decision.blocked if decision.refused else (),
    )
