"""Artifacts as users see them: state, copies, next step, and the reasons for each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.kinds import EventType
from tierkeeper.base.errors import ArtifactNotFound
from tierkeeper.base.ids import in_order
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import (
    artifacts,
    browse,
    copy_counts,
    history,
    placements,
    policies,
    refusals,
    schedule,
    segments,
)
from tierkeeper.catalog.database import take_time
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import lost
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Step, when
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import ArtifactView, Explanation, FailureView, Filter, PlacementView, Ref
from tierkeeper.values.events import EventView
from tierkeeper.values.refusals import Refusal
from tierkeeper.values.tiers import TierStats

_REFUSED = 500  # orphans, and failed artifacts of a kind, that are counted one by one: each is a page of its own
_HISTORY = 50  # events in an explanation, the oldest first


def show(engine: Engine, ref: Ref) -> ArtifactView:
    """Return one artifact, in any state; raises ArtifactNotFound."""
    with engine.catalog.reading() as connection:
        row = artifacts.by_ref(connection, ref)
        if row is None:
            raise ArtifactNotFound(ref=ref)
        return _whole(engine, connection, row)


def _whole(engine: Engine, connection: sa.Connection, row: ArtifactRow) -> ArtifactView:
    view = views(engine.settings, connection, [row])[0]
    return replace(view, events_cut=segments.cut(connection, since=row.stored_at))


def views(settings: Settings, connection: sa.Connection, rows: Sequence[ArtifactRow]) -> list[ArtifactView]:
    """Return these artifacts with their copies and their next steps."""
    copies = placements.of_blobs(connection, in_order(r.blob_id for r in rows if r.blob_id is not None))
    due = schedule.of_many(connection, [row.id for row in rows])
    labels = policies.labels(connection, {row.policy_id for row in rows if row.policy_id is not None})
    deleting = [c.id for of_blob in copies.values() for c in of_blob if c.state is PlacementState.DELETING]
    refused = refusals.of_copies(connection, deleting)
    quarantine = settings.reconcile.quarantine
    of = {b: tuple(_placement(copy, quarantine, refused.get(copy.id)) for copy in copies[b]) for b in copies}
    return [_view(row, of.get(row.blob_id, ()) if row.blob_id else (), due.get(row.id), labels) for row in rows]


def explain(engine: Engine, ref: Ref) -> Explanation:
    """Return where the copies are and why, the next step, its time and what blocks it; of a purged one, how it ended.

    Raises ArtifactNotFound.
    """
    with engine.catalog.reading() as connection:
        row = artifacts.by_ref(connection, ref)
        if row is None:
            raise ArtifactNotFound(ref=ref)
        moment = Moment.read(connection, engine)
        copies = placements.of_blobs(connection, [row.blob_id])[row.blob_id] if row.blob_id else []
        view = _whole(engine, connection, row)
        due = schedule.of_many(connection, [row.id]).get(row.id)
        past = history.of_artifact(connection, row, limit=_HISTORY)
    decision = moment.decide(row)
    placed_by = {p.tier: p.placed_by or "" for p in copies if p.state is PlacementState.PRESENT}
    refused = tuple(
        f"the store of {p.tier} does not delete the copy at {p.location}: {p.refusal}"
        for p in view.placements
        if p.refusal is not None
    )
    if row.state is ArtifactState.PURGED:
        return Explanation(view, _ended_by(past), _ended(past), {}, refused, None, None, past)
    parked = (f"parked: {view.parked_reason}",) if view.parked_reason else ()
    braked = (f"the brake: run {due.braked_by} awaits approval",) if due is not None and due.braked_by else ()
    missed = tuple(
        f"the copy in {p.tier} was not found at {when(p.missed_at)}; it is looked for again after"
        f" {when(p.looked_for_after)}, and nothing else is removed until then"
        for p in view.placements
        if p.suspect and p.state is PlacementState.PRESENT
    )
    gone = (lost.BLOCKED,) if lost.is_lost(copies, engine.stores) else ()
    failed = () if view.failure is None or view.parked_reason is not None else (_failed(view.failure, view),)
    overdue = view.due_at is not None and (view.failure is not None or view.due_at <= moment.now)
    return Explanation(
        artifact=view,
        rule=decision.rule,
        reason=decision.reason,
        placed_by=placed_by,
        blocked=(*gone, *decision.blocked, *missed, *failed, *parked, *braked, *refused),
        next_step=view.next_step if overdue else decision.next_step,
        next_at=view.due_at if overdue else decision.next_due,
        history=past,
    )


def stats(engine: Engine, *, tenant: str | None, exact: bool) -> list[TierStats]:
    """Return every tier's counts, hottest first; bytes as stored. ``exact``: count each copy of a large catalog too."""
    with engine.catalog.reading() as connection:
        if exact:
            take_time(connection)
            counts, is_exact = copy_counts.exact(connection, tenant=tenant), True
        else:
            counts, is_exact = copy_counts.estimated(connection, tenant=tenant)
        most = None if exact else _REFUSED
        orphans, no_more_orphans = refusals.orphans_by_tier(connection, most=most) if tenant is None else ({}, True)
        failing, no_more_failing = schedule.failing(connection, tenant=tenant, most=most)
    sorted_failing = sorted(failing.items(), key=lambda item: item[0][1])
    result = []
    for tier in engine.tiers:
        present, doomed, deleting = (
            counts.get((tier.name, state), copy_counts.CopyCounts(tenants=0 if is_exact else None))
            for state in (PlacementState.PRESENT, PlacementState.DOOMED, PlacementState.DELETING)
        )
        result.append(
            TierStats(
                tier=tier.name,
                temperature=tier.temperature.value,
                present=present.copies,
                present_bytes=present.size,
                doomed=doomed.copies,
                doomed_bytes=doomed.size,
                tenants=present.tenants,
                unvouched=present.unvouched,
                missed=present.missed + doomed.missed,
                refused=deleting.refused + orphans.get(tier.name, 0),
                retrying={code: number for (name, code), number in sorted_failing if name == tier.name},
                exact=is_exact and no_more_orphans and no_more_failing,
            )
        )
    return result


def _failed(failure: FailureView, view: ArtifactView) -> str:
    tries = "" if failure.tries == 1 else f", {failure.tries} times in a row"
    next_step = "it is tried again" if view.next_step == failure.step else f"next comes: {view.next_step},"
    failed = f"{failure.step} failed at {when(failure.at)}{tries} ({failure.code}): {failure.words.rstrip('.')}"
    return f"{failed}; {next_step} at {when(view.due_at)}"


def _ended_by(history: Sequence[EventView]) -> str:
    return next((e.policy for e in reversed(history) if e.type == EventType.DELETED and e.policy), "unknown")


def _ended(history: Sequence[EventView]) -> str:
    """Return a sentence: who deleted the artifact, when and why, and when its last copy was destroyed."""
    parts = []
    for event in history:
        if event.type == EventType.DELETED:
            why = (event.after or {}).get("reason")
            parts.append(f"Deleted by {event.actor} at {event.at:%Y-%m-%d %H:%M} UTC" + (f" ({why})" if why else ""))
        elif event.type == EventType.UNDELETED:
            parts.clear()
        elif event.type == EventType.PURGED:
            parts.append(f"purged at {event.at:%Y-%m-%d %H:%M} UTC")
        elif event.type == EventType.DESTROYED:
            parts.append(f"its last copy destroyed at {event.at:%Y-%m-%d %H:%M} UTC")
    return ", ".join(parts) + "." if parts else "It was purged."


def _view(
    row: ArtifactRow,
    copies: tuple[PlacementView, ...],
    due: schedule.ScheduleEntry | None,
    labels: dict[UUID, str],
) -> ArtifactView:
    return ArtifactView(
        id=row.id,
        ref=row.ref,
        state=row.state,
        size=row.size,
        sha256=row.sha256.hex(),
        content_type=row.content_type,
        metadata=row.metadata,
        tags=row.tags,
        created_at=row.created_at,
        stored_at=row.stored_at,
        accessed_at=row.accessed_at,
        policy=None if row.policy_id is None else labels.get(row.policy_id),
        wanted=tuple(sorted(row.wanted)),
        placements=copies,
        purge_at=row.purge_at,
        purged_at=row.purged_at,
        retain_until=row.retain_until,
        due_at=None if due is None else due.due_at,
        next_step=None if due is None else _next_step(due),
        parked_reason=None if due is None else due.parked_reason,
        failure=None if due is None else _failure(due),
        braked_by=None if due is None else due.braked_by,
    )


def _failure(due: schedule.ScheduleEntry) -> FailureView | None:
    failure = due.failure
    if failure is None:
        return None
    return FailureView(due.step, failure.code, failure.tier, failure.words, failure.at, due.failures)


def _next_step(due: schedule.ScheduleEntry) -> str:
    return due.step if due.failure is None or due.deletes is None or due.parked_reason else Step.PURGE.value


def _placement(copy: PlacementRow, quarantine: timedelta, refusal: Refusal | None) -> PlacementView:
    return PlacementView(
        tier=copy.tier,
        state=copy.state,
        location=copy.location,
        stored_size=copy.stored_size,
        since=copy.made_at,
        delete_after=copy.delete_after,
        locked_until=copy.locked_until,
        damaged_at=copy.damaged_at,
        vouched=copy.vouched,
        missed_at=copy.missed_at,
        looked_for_after=None if copy.missed_at is None else copy.missed_at + quarantine,
        refusal=refusal,
    )


def select(engine: Engine, filter_: Filter, *, limit: int | None) -> Iterator[ArtifactView]:
    """Yield the matching artifacts with their copies, by tenant, workflow, name and version.

    No connection is held between two pages.
    """
    after: ArtifactRow | None = None
    remaining = limit
    while remaining is None or remaining > 0:
        with engine.catalog.reading() as connection:
            rows = browse.page(connection, filter_, after=after, limit=remaining)
            page = views(engine.settings, connection, rows)
        yield from page
        if len(rows) < browse.PAGE:
            return
        after = rows[-1]
        remaining = None if remaining is None else remaining - len(rows)
