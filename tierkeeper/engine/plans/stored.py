"""Sum up a streamed plan, and store it: memory use does not grow with the number of artifacts."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import PlanNotFound
from tierkeeper.catalog import brake_counts, plans
from tierkeeper.catalog.brake_counts import Scope
from tierkeeper.catalog.database import Database
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.plans.preview import View, plan
from tierkeeper.policy import document
from tierkeeper.values.plans import PlanItemView, PlanView
from tierkeeper.values.progress import ProgressCallback

_BATCH = 1000
_SAMPLES = 3  # names per line of the summary
_TOLD_APART = 100  # lines per table; the rest is summed as "other": each artifact may have its own rule or reason


class Summary:
    """Counts, bytes and sample names by action and rule, and by refusal reason; deletions by tenant and policy."""

    def __init__(self) -> None:
        self._rules: dict[tuple[str, str], _Line] = {}
        self._refusals: dict[str, _Line] = {}
        self._deletes: Counter[tuple[str, str]] = Counter()

    def add(self, item: PlanItemView) -> None:
        """Add one item."""
        if item.blocked:
            for reason in item.blocked:
                known = reason if reason in self._refusals or len(self._refusals) < _TOLD_APART else "other reasons"
                self._refusals.setdefault(known, _Line()).add(item)
            return
        line = item.action, item.rule
        known_line = line if line in self._rules or len(self._rules) < _TOLD_APART else (item.action, "other rules")
        self._rules.setdefault(known_line, _Line()).add(item)
        if item.action == "delete":
            self._deletes[item.ref.tenant, item.policy] += 1

    def as_json(self, connection: sa.Connection, engine: Engine, view: View) -> dict[str, Any]:
        """Return the sums as a JSON object, and the tenants and policies whose deletions the brake would stop."""
        lines = [{"action": a, "rule": r, **line.as_json()} for (a, r), line in sorted(self._rules.items())]
        refused = [{"reason": reason, **line.as_json()} for reason, line in sorted(self._refusals.items())]
        return {"rules": lines, "refused": refused, "brake": self._brakes(connection, engine, view)}

    def _brakes(self, connection: sa.Connection, engine: Engine, view: View) -> list[dict[str, Any]]:
        moment = view.moment(connection, engine)
        by_label = {policy.label: policy for policy in moment.policies}
        own = brake.own_brakes(moment.policies)
        now, window = moment.now, engine.settings.engine.brake_window
        counted: Counter[tuple[str, str]] = Counter()
        for (tenant, label), number in self._deletes.items():
            name = by_label[label].name if label in by_label else ""
            counted[tenant, name if name in own else ""] += number
        over = []
        for (tenant, name), number in sorted(counted.items()):
            limits = brake.limits_of(engine.settings, next((p for p in moment.policies if p.name == name), None))
            limit = limits.limit(brake_counts.population(connection, tenant, now=now, window=window))
            if limit is None or number <= limits.count:
                continue
            _, recent = brake_counts.weigh(connection, Scope(tenant, name, own), now=now, window=window, most=limit + 1)
            if number + recent > limit:
                over.append({"tenant": tenant, "policy": name, "deletes": number, "recent": recent, "limit": limit})
        return over


class _Line:
    """One line of a summary."""

    def __init__(self) -> None:
        self._count = self._bytes = 0
        self._samples: list[str] = []

    def add(self, item: PlanItemView) -> None:
        self._count += 1
        self._bytes += item.size
        if len(self._samples) < _SAMPLES:
            self._samples.append(str(item.ref))

    def as_json(self) -> dict[str, Any]:
        return {"artifacts": self._count, "bytes": self._bytes, "samples": self._samples}


def summed(engine: Engine, view: View, summary: Summary, *, limit: int | None = None) -> Iterator[PlanItemView]:
    """Yield the items of a plan and add each to ``summary``."""
    for item in plan(engine, view, limit=limit):
        summary.add(item)
        yield item


def store(
    engine: Engine, view: View, *, caller: Caller, expires: timedelta, progress: ProgressCallback | None = None
) -> PlanView:
    """Make and store a plan for a later apply; after a crash it stays unfinished, and is forgotten like an old one."""
    identity = engine.catalog.run(caller, _begin_plan, engine, view, by=caller.actor, expires=expires)
    summary = Summary()
    rows: list[plans.NewItem] = []
    for item in summed(engine, view, summary):
        rows.append(_row(item))
        if len(rows) == _BATCH:
            _write(engine.catalog, identity, rows, caller=caller)
            rows = []
            if progress is not None:
                progress(_BATCH)
    _write(engine.catalog, identity, rows, caller=caller)
    engine.catalog.run(caller, _finish_plan, engine, identity, view, summary)
    return shown(engine.catalog, identity)


def _begin_plan(connection: sa.Connection, engine: Engine, view: View, *, by: str, expires: timedelta) -> UUID:
    """Record a plan with the policies that it is made with; return its id."""
    moment = Moment.read(connection, engine)
    active = {policy.name: policy.version for policy in moment.policies}
    candidates = [{**document.to_document(p), "version": p.version} for p in view.candidates]
    return plans.begin(
        connection,
        as_of=view.as_of or moment.now,
        policies={"active": active, "candidates": candidates},
        arguments={"tenant": view.tenant},
        by=by,
        now=moment.now,
        expires=expires,
    )


def _finish_plan(connection: sa.Connection, engine: Engine, identity: UUID, view: View, summary: Summary) -> None:
    plans.finish(connection, identity, summary=summary.as_json(connection, engine, view))


def shown(catalog: Database, identity: UUID) -> PlanView:
    """Return one stored plan; raises PlanNotFound."""
    with catalog.reading() as connection:
        stored_plan = plans.load(connection, identity)
    if stored_plan is None:
        raise PlanNotFound(plan=str(identity))
    return stored_plan.view


def forget_old(engine: Engine, *, caller: Caller) -> int:
    """Delete plans that expired longer ago than runs are kept (setting ``runs_kept``); return how many."""
    kept = engine.settings.runs_kept
    while engine.catalog.run(caller, plans.forget_items, kept=kept, limit=_BATCH) == _BATCH:
        pass
    return engine.catalog.run(caller, plans.forget, kept=kept)


def _write(catalog: Database, identity: UUID, rows: list[plans.NewItem], *, caller: Caller) -> None:
    if rows:
        catalog.run(caller, plans.add, identity, rows)


def _row(item: PlanItemView) -> plans.NewItem:
    return plans.NewItem(
        artifact_id=item.artifact,
        revision=item.revision,
        policy=item.policy,
        action=item.action,
        target=list(item.target),
        rule=item.rule,
        reason=item.reason,
        blocked="; ".join(item.blocked),
    )
