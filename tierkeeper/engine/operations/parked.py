"""Stuck artifacts and deliveries: an operator lists them, retries them or skips them.

Retry makes an item due now, as if it had never been tried. Skip omits an artifact's step until its next phase begins,
or a verb, a policy edit or a damaged copy makes it due again; a skipped delivery is kept, and can be retried later.
Neither deletes anything, and each decision is an event.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactRetried, ArtifactSkipped, Resolution
from tierkeeper.audit.messages import DecidedMessage, DeliveryRetried, DeliverySkipped
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import ParkedNotFound
from tierkeeper.catalog import artifacts, browse, dead_letters, deliveries, events, parked, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.deliveries import DeliveryRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.operations.deliveries import line
from tierkeeper.engine.record import record
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.parking import Stuck, StuckFilter, StuckKind, StuckResult, StuckState

_PAGE: Final = 500
_FIRST: Final = UUID(int=0)
_GONE: Final = "nobody waits for a decision any more"


def select(catalog: Database, filter_: StuckFilter) -> Iterator[Stuck]:
    """Yield the stuck items that match, artifacts before deliveries, each kind by id (the order of creation)."""
    if filter_.kind in {None, StuckKind.ARTIFACT} and filter_.state in {None, StuckState.PARKED}:
        yield from _pages(lambda after: _artifacts(catalog, filter_, after))
    if filter_.kind is not StuckKind.ARTIFACT and filter_.version is None:
        yield from _pages(lambda after: _deliveries(catalog, filter_, after))


def retry(engine: Engine, filter_: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:
    """Make the selected items due now; raises ParkedNotFound where none matches."""
    return _decided(engine, filter_, "retried", caller=caller, dry_run=dry_run)


def skip(engine: Engine, filter_: StuckFilter, *, caller: Caller, dry_run: bool = False) -> list[StuckResult]:
    """Skip the selected items; raises ParkedNotFound where none matches."""
    return _decided(engine, filter_, "skipped", caller=caller, dry_run=dry_run)


def raw(catalog: Database, id_: UUID) -> bytes:
    """Return the beginning of a dead letter, as it came; raises ParkedNotFound if there is no such."""
    with catalog.reading() as connection:
        content = dead_letters.raw(connection, id_)
    if content is None:
        raise ParkedNotFound(item=f"a dead letter {id_} with content")
    return content


def _pages(page: Callable[[UUID], list[Stuck]]) -> Iterator[Stuck]:
    after = _FIRST
    while items := page(after):
        yield from items
        after = items[-1].id


def _artifacts(catalog: Database, filter_: StuckFilter, after: UUID) -> list[Stuck]:
    with catalog.reading() as connection:
        rows = parked.select(connection, **_conditions(filter_, after), version=filter_.version)
    return [
        Stuck(
            id=row.artifact,
            kind=StuckKind.ARTIFACT,
            state=StuckState.PARKED,
            tenant=row.tenant,
            ref=Ref(row.tenant, row.workflow, row.name, row.version),
            what=row.step,
            key=None,
            reason=row.reason,
            attempts=row.attempts,
            since=row.since,
        )
        for row in rows
    ]


def _deliveries(catalog: Database, filter_: StuckFilter, after: UUID) -> list[Stuck]:
    state = None if filter_.state is None else filter_.state.value
    with catalog.reading() as connection:
        kind = None if filter_.kind is None else filter_.kind.value
        rows = deliveries.select(connection, state=state, kind=kind, **_conditions(filter_, after))
    return [_stuck(row) for row in rows]


def _conditions(filter_: StuckFilter, after: UUID) -> dict[str, Any]:
    globs = {"workflow": filter_.workflow, "name": filter_.name}
    return {
        "tenant": filter_.tenant,
        "like": {name: None if glob is None else browse.glob_regex(glob) for name, glob in globs.items()},
        "reason": filter_.reason,
        "item": filter_.item,
        "after": after,
        "limit": _PAGE,
    }


def _stuck(row: DeliveryRow) -> Stuck:
    state = StuckState.PARKED if row.parked_reason is not None else StuckState.WAITING
    named = row.workflow is not None and row.name is not None
    return Stuck(
        id=row.id,
        kind=StuckKind(row.kind),
        state=StuckState.SKIPPED if row.skipped_by is not None else state,
        tenant=row.tenant,
        ref=Ref(row.tenant, row.workflow or "", row.name or "") if named else None,
        what=row.task,
        key=row.key,
        reason=row.parked_reason or row.waiting_for or "",
        attempts=row.attempts,
        since=row.last_at,
        due_at=row.due_at,
        broker=row.broker,
        queue=row.queue,
        first_at=row.first_at,
        size=row.size,
    )


def _decided(
    engine: Engine, filter_: StuckFilter, decision: str, *, caller: Caller, dry_run: bool
) -> list[StuckResult]:
    items = select(engine.catalog, filter_)
    results: list[StuckResult] = []
    while page := list(islice(items, _PAGE)):
        of = {kind: [item for item in page if item.kind is kind] for kind in StuckKind}
        details: dict[UUID, str] = {}
        if chosen := [item.id for item in of[StuckKind.ARTIFACT]]:
            details |= engine.catalog.run(
                caller, _decide_artifacts, engine, chosen, decision, caller=caller, dry_run=dry_run
            )
        dead = of[StuckKind.MALFORMED]
        messages = of[StuckKind.DELIVERY] + (dead if decision == "skipped" else [])
        if chosen := [item.id for item in messages]:
            details |= engine.catalog.run(caller, _decide_deliveries, chosen, decision, caller=caller, dry_run=dry_run)
        refused = {item.id for item in dead} if decision == "retried" else set()
        for item in page:
            outcome = decision if item.id in details else "refused" if item.id in refused else "gone"
            told = f"it cannot be sent again: {item.reason}" if item.id in refused else _GONE
            detail = details.get(item.id, told)
            results.append(StuckResult(item, outcome, detail, dry_run))
    if not results:
        raise ParkedNotFound(item=_described(filter_))
    return results


def _decide_artifacts(
    connection: sa.Connection, engine: Engine, ids: Sequence[UUID], decision: str, *, caller: Caller, dry_run: bool
) -> dict[UUID, str]:
    """Write the decision for the artifacts that are still parked; return the detail of each."""
    artifacts.lock_only(connection, ids)
    schedule.lock(connection, ids)
    rows = artifacts.load(connection, sorted(parked.still(connection, ids)))
    moment = Moment.read(connection, engine)
    now = moment.now
    coming: list[schedule.Coming] = []
    details: dict[UUID, str] = {}
    for row in rows:
        course = moment.decide(row)
        due, step, details[row.id] = now, course.next_step, "due now"
        if decision == "skipped":
            if course.next_due is None or course.next_due <= now:
                details[row.id] = "until a verb, a policy edit or a damaged copy makes it due"
                continue
            due, details[row.id] = course.next_due, f"until its next step, at {course.next_due:%Y-%m-%d %H:%M} UTC"
        coming.append(schedule.Coming(row.id, row.tenant, due, step, course.deleting_policy(due)))
    if dry_run:
        return details
    schedule.put(connection, coming)
    parked.end(connection, details.keys() - {entry.artifact for entry in coming})
    decided = ArtifactSkipped if decision == "skipped" else ArtifactRetried
    record(connection, rows, lambda row: decided(after=Resolution(detail=details[row.id])), now=now, caller=caller)
    return details


def _decide_deliveries(
    connection: sa.Connection, ids: Collection[UUID], decision: str, *, caller: Caller, dry_run: bool
) -> dict[UUID, str]:
    detail = "sent again within a minute" if decision == "retried" else "kept, and not sent again by itself"
    stuck = [row for row in deliveries.lock(connection, ids) if _waits_for(row, decision)]
    if stuck and not dry_run:
        change = deliveries.retry if decision == "retried" else deliveries.skip
        change(connection, [row.id for row in stuck], actor=caller.actor)
        changed = deliveries.lock(connection, [row.id for row in stuck])
        decided = DeliveryRetried if decision == "retried" else DeliverySkipped
        lines = [
            line(row, decided(after=DecidedMessage(task=row.task, detail=detail)), caller=caller) for row in changed
        ]
        events.append(connection, lines, at=catalog_now(connection))
    return {row.id: detail for row in stuck}


def _waits_for(row: DeliveryRow, decision: str) -> bool:
    """Return True if the decision changes this delivery; a retry hastens a waiting one, a skip ends its waiting."""
    stuck = row.parked_reason is not None or row.due_at is not None
    return stuck and (decision != "skipped" or row.skipped_by is None)


def _described(filter_: StuckFilter) -> str:
    names = ("item", "tenant", "workflow", "name", "version", "reason", "kind")
    given = [f"{name} {value}" for name in names if (value := getattr(filter_, name)) is not None]
    return ", ".join(given) or "any condition"
