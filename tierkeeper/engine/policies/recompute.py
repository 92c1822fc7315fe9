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
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action
from tierkeeper.values.runs import SweepResult

_PAGE = 2000


def recompute(engine: Engine, *, deadline: float | None = None) -> SweepResult:
    """Finish the runs that edits created, oldest first; ``more`` in the result: ``deadline`` passed before the end.

    An error fails its run with the reason, and stops no other; it is raised in the end. The next recompute continues a
    failed run too, as what the edit made due would come too late without it.
    """
    counts: Counter[str] = Counter()
    failed: dict[UUID, Exception] = {}
    while True:
        with engine.catalog.reading() as connection:
            run = runs.oldest_recompute(connection, but=failed)
        if run is None:
            break
        if over(deadline):
            return SweepResult(dict(counts), 0, 0, more=True)
        try:
            _continue(engine, run, counts, deadline=deadline)
        except Exception as error:  # noqa: BLE001  one run's error stops no other run
            failed[run] = error
    if failed:
        raise next(iter(failed.values()))
    return SweepResult(dict(counts), 0, 0, more=False)


def _continue(engine: Engine, run: UUID, counts: Counter[str], *, deadline: float | None) -> None:
    """Recompute page by page from the run's cursor until its end or the deadline, and add what was done to counts."""
    engine.catalog.run(callers.BEAT, runs.resume, run)
    with run_life.joined(engine.catalog, run, caller=callers.BEAT):
        while not over(deadline):
            page = engine.catalog.run(callers.BEAT, _recompute_page, engine, run)
            if page is None:
                return
            counts.update(page)


def _recompute_page(connection: sa.Connection, engine: Engine, run: UUID) -> Counter[str] | None:
    """Recompute a page of artifacts by id and move the run's cursor; None where no page was left, and the run ends."""
    ids = browse.ids_of_page(connection, after=runs.cursor(connection, run), limit=_PAGE)
    if not ids:
        runs.finish(connection, run)
        return None
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
