"""After a policy edit: bring forward the artifacts that the new rules make due sooner. It may only add work.

Artifacts that become due later keep their time: converge decides about them at the old time, finds nothing to do and
writes the new time. An edit leaves a run with a cursor; recompute resumes every such run at its cursor, so that a crash
costs at most one page. Workers that continue one run take its pages in turn, under its lock; one whose run was ended by
another of them stops. Only artifacts are looked at that the policy may govern now, or may have governed before the
edit: every other one has the governing policy that it had.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import callers
from tierkeeper.base.stopping import over
from tierkeeper.catalog import artifacts, recomputing, runs, schedule
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action
from tierkeeper.values.runs import SweepResult

_PAGE = 2000
#: artifacts that are read while a user waits for a policy to be applied; some seconds
IN_FOREGROUND: Final = 20_000
#: what a user is told then
LEFT: Final = "workers look at the other artifacts of the edited policies: see `tierkeeper runs list --kind recompute`"


def recompute(engine: Engine, *, deadline: float | None = None) -> SweepResult:
    """Finish the runs that edits created, oldest first; ``more``: it ended before, at ``deadline``.

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


def in_foreground(engine: Engine, edit: UUID | None) -> None:
    """Recompute what an edit just made due, while the user waits, up to a bound; ``edit``: its run, None without one.

    The runs of other edits, and their errors, are left to the sweep.
    """
    if edit is not None:
        _continue(engine, edit, Counter(), most=IN_FOREGROUND)


def is_left(engine: Engine) -> bool:
    """Return True while an edit's artifacts are not all looked at."""
    with engine.catalog.reading() as connection:
        return runs.oldest_recompute(connection) is not None


def _continue(
    engine: Engine, run: UUID, counts: Counter[str], *, deadline: float | None = None, most: int | None = None
) -> None:
    """Recompute page by page from the run's cursor until its end, and add what was done to counts.

    It ends before at ``deadline``, or once ``most`` artifacts were read.
    """
    read = 0
    if not engine.catalog.run(callers.BEAT, runs.resume, run):
        return  # another worker took it up, and ended it
    with run_life.joined(engine, run, caller=callers.BEAT):
        while not over(deadline) and (most is None or read < most):
            page = engine.catalog.run(callers.BEAT, _recompute_page, engine, run)
            if page is None:
                break
            counts.update(page[0])
            read += page[1]


def _recompute_page(connection: sa.Connection, engine: Engine, run: UUID) -> tuple[Counter[str], int] | None:
    """Recompute the next page, move the run's cursor; return the counts, and the number read. None: the run ended."""
    page = recomputing.next_page(connection, run, rows=_PAGE)
    if page is None:
        runs.finish(connection, run)
        return None
    counts = Counter({"looked at": len(page.ids), "hastened": _hasten(connection, engine, page.ids) if page.ids else 0})
    runs.add(connection, run, counts=counts)
    recomputing.move(connection, run, page)
    return counts, page.read


def _hasten(connection: sa.Connection, engine: Engine, ids: Sequence[UUID]) -> int:
    """Bring these artifacts forward to the time when they are due now; return how many moved."""
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
    return hastened
