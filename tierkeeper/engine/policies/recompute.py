"""After a policy edit: bring forward the artifacts that the new rules make due sooner. It may only add work.

Artifacts that become due later keep their time: converge decides about them at the old time, finds nothing to do and
writes the new time. An edit leaves a run with a cursor; recompute resumes every such run at its cursor, so that a crash
costs at most one page.
"""

from collections import Counter
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import callers
from tierkeeper.base.stopping import over
from tierkeeper.catalog import artifacts, browse, runs, schedule
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action
from tierkeeper.values.runs import SweepResult

_PAGE = 2000


def recompute(engine: Engine, *, deadline: float | None = None) -> SweepResult:
    """Finish the runs that edits created, oldest first; ``more`` in the result: ``deadline`` passed before the end."""
    counts: Counter[str] = Counter()
    while True:
        with engine.catalog.reading() as connection:
            pending = runs.oldest_recompute(connection)
        if pending is None:
            return SweepResult(dict(counts), 0, 0, more=False)
        if over(deadline):
            return SweepResult(dict(counts), 0, 0, more=True)
        run, arguments = pending
        counts += engine.catalog.run(callers.BEAT, _recompute_page, engine, run, arguments.after)


def _recompute_page(connection: sa.Connection, engine: Engine, run: UUID, after: UUID) -> Counter[str]:
    """Recompute one page of artifacts by id and move the run's cursor, in one transaction."""
    ids = browse.ids_of_page(connection, after=after, limit=_PAGE)
    if not ids:
        runs.finish(connection, run)
        return Counter()
    schedule.lock(connection, ids)
    moment = Moment.read(connection, engine)
    now = moment.now
    rows: list[schedule.Coming] = []
    never: list[schedule.Coming] = []
    deletes_now: dict[UUID, bool] = {}
    for row in artifacts.load(connection, ids):
        decision = moment.decide(row)
        # a longer retention has to be recorded and locked in the stores now, whatever else is due when
        longer = decision.retain_until != row.retain_until
        due_at = now if longer else decision.due_at(row.wanted, now=now)
        deletes_now[row.id] = decision.action is Action.DELETE
        if due_at is not None:
            deletes = decision.deleting_policy(due_at)
            rows.append(schedule.Coming(row.id, row.tenant, due_at, decision.next_step, deletes))
        else:
            never.append(schedule.Coming(row.id, row.tenant, now, ""))
    hastened = schedule.hasten(connection, rows)
    schedule.put_if_missing(connection, rows)
    schedule.foretell(connection, [*rows, *never], now=deletes_now)
    counts = Counter({"looked at": len(ids), "hastened": hastened})
    runs.add(connection, run, counts=counts)
    runs.move_cursor(connection, run, after=ids[-1])
    return counts
