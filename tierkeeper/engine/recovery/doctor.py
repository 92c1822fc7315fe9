"""Check the invariants of a catalog in use, and report what an operator has to know; change nothing.

Only the catalog is read, and the coldest tier for the epoch's twin and the dumps. Whether the stores have what the
catalog says is checked by reconcile and verify.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from tierkeeper.base.errors import DumpMissing
from tierkeeper.catalog import doctor, epochs, holds, refusals, sweep_ends, switches
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import adopt, dump, dump_files, mend
from tierkeeper.engine.trust import epoch
from tierkeeper.policy.decision import when
from tierkeeper.values.health import Condition
from tierkeeper.values.recovery import Checkup
from tierkeeper_client import texts

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=1)  # further ahead no server's clock is
_LATE = timedelta(hours=1)

_BUG = "This is a defect of tierkeeper, or somebody changed the catalog by hand: keep a copy of it, and report it."
_REFUSED = (
    "Their bytes stay and cost room. Give the tier's credentials the right to delete, or end the lock that keeps them;"
    " it is tried again and again."
)
_ADVICE = {
    "copies present twice": _BUG,
    "events repeated": _BUG,
    "events missing": _BUG,
    "artifacts without an event": _BUG,
    "content of another tenant": _BUG,
    "blobs of nothing": _BUG,
    "artifacts without a readable copy": "Look at `tierkeeper explain`; `tierkeeper reconcile` finds copies that came"
    " back. Nothing else can bring the content back but storing it again.",
    "deleted and never due": _BUG,
    "rows that cannot be read": "Their times are outside the years 1900 to 9000, or their metadata or tags of no such"
    " shape, or too deep. They are parked and protected; `tierkeeper doctor --mend-times --reason …` mends them.",
    "times from the future": "PostgreSQL's clock was ahead when they were written. None counts as fresh. Mend the"
    " clock, then `tierkeeper doctor --mend-times --reason …` clears them.",
    "damaged copies": "Converge makes the wanted ones again from a good copy; `tierkeeper parked list` shows where"
    " it cannot. A doomed one stays until `collect` removes it.",
    "copies that nobody vouches for": "They count for nothing until they were read: `tierkeeper verify` does that,"
    " a share of all copies each day.",
    "copies that were not found": "They are looked for again after `reconcile.quarantine`, and count for nothing until"
    " then. Is the bucket what it should be? `tierkeeper reconcile` looks now.",
    "copies that a store does not delete": _REFUSED,
    "orphans that a store does not delete": _REFUSED,
    "parked": "`tierkeeper parked list` says why; then `parked retry` or `parked skip`.",
    "overdue": "See `tierkeeper health`: are workers and Beat running?",
    "awaiting approval": "`tierkeeper runs list`, then `runs approve` or `runs reject`.",
    "events outside their month": "`maintain` did not run for months; nothing is lost, they stay where they are.",
}
_NOTED = {
    "times from the future",
    "rows that cannot be read",
    "damaged copies",
    "copies that nobody vouches for",
    "copies that were not found",
    "copies that a store does not delete",
    "orphans that a store does not delete",
    "parked",
    "overdue",
    "awaiting approval",
    "events outside their month",
}


def examine(engine: Engine, *, everything: bool = False) -> Iterator[Checkup]:
    """Yield one line per check; ``everything``: check all events, not only those of the last day's artifacts."""
    with engine.catalog.reading() as connection:
        now = catalog_now(connection)
    yield from _apart("epoch", lambda: _epoch(engine))
    yield from _apart("deletes", lambda: _deletes(engine.catalog))
    yield from _apart("dumps", lambda: _dumps(engine, now))
    yield from _apart("sweeps that a store refuses", lambda: _refused_sweeps(engine.catalog))
    yield from _apart("held since a rebuild", lambda: _held(engine.catalog))
    since = _BEGINNING if everything else now - timedelta(days=1)
    for question in doctor.QUESTIONS:
        times = {"since": since, "late": now - _LATE, "ahead": mend.beyond(engine.settings, now)}
        yield from _apart(question, partial(_asked, engine.catalog, question, **times))


def _apart(check: str, ask: Callable[[], Checkup]) -> Iterator[Checkup]:
    """Yield the check's line; an error becomes a line too, so that the other checks are made."""
    try:
        yield ask()
    except Exception as error:  # noqa: BLE001  of the driver too: it stops no other check
        told = texts.first_line(str(error)) or type(error).__name__
        yield Checkup(check, Condition.BAD, f"it could not be asked: {told}", "Mend that, and ask again.")


def _asked(catalog: Database, question: str, **times: datetime) -> Checkup:
    with catalog.reading() as connection:
        answer = doctor.ask(connection, question, **times)
    if not answer.count:
        return Checkup(question, Condition.OK, "none")
    condition = Condition.ATTENTION if question in _NOTED else Condition.BAD
    return Checkup(question, condition, f"{answer.count}, such as {answer.example}", _ADVICE[question])


def _epoch(engine: Engine) -> Checkup:
    with engine.catalog.reading() as connection:
        standing = epochs.standing(connection)
    if standing.trust == epochs.REBUILDING:
        return Checkup(
            "epoch", Condition.BAD, standing.reason, "`tierkeeper catalog rebuild` goes on where it stopped."
        )
    doubt = epoch.doubt(engine)
    if doubt is None:
        return Checkup("epoch", Condition.OK, f"{standing.epoch.number}, and its twin agrees")
    advice = (
        "Nothing is deleted. If this catalog is the one to go on with: `tierkeeper doctor --accept-restore --dry-run`,"
        " then without --dry-run."
    )
    return Checkup("epoch", Condition.BAD, doubt, advice)


def _deletes(catalog: Database) -> Checkup:
    with catalog.reading() as connection:
        refused = switches.deletes_refused(connection)
    if refused is None:
        return Checkup("deletes", Condition.OK, "enabled")
    return Checkup("deletes", Condition.ATTENTION, f"off: {refused}", "`tierkeeper deletes on` when that is over.")


def _dumps(engine: Engine, now: datetime) -> Checkup:
    advice = "`tierkeeper catalog dump` makes one now; Beat sends one a day."
    try:
        complete = [view for view in dump.listed(engine) if view.complete]
    except DumpMissing as error:
        return Checkup("dumps", Condition.ATTENTION, str(error), "Add a tier that is no database.")
    if not complete:
        return Checkup("dumps", Condition.ATTENTION, "none", advice)
    newest = complete[0]
    found = f"{len(complete)}, the newest of {when(newest.at)}"
    later = dump_files.misleading(complete, newest)
    if later:
        found += f"; with a later time, and not newer: {', '.join(view.name for view in later)}"
    if newest.at > now + _AHEAD:
        found += "; that is in the future: a clock was ahead when it was made, so it may be of any age"
    fresh = now - sweep_ends.DUMP_AGE <= newest.at <= now + _AHEAD
    return Checkup("dumps", Condition.OK if fresh else Condition.ATTENTION, found, "" if fresh else advice)


def _refused_sweeps(catalog: Database) -> Checkup:
    with catalog.reading() as connection:
        refused = refusals.of_sweeps(connection)
    if not refused:
        return Checkup("sweeps that a store refuses", Condition.OK, "none")
    found = "; ".join(f"{each.sweep} of {each.tier}: {each.refusal}" for each in refused)
    advice = "Give the tier's credentials what they lack, or mend its server; the next run of that sweep tries again."
    return Checkup("sweeps that a store refuses", Condition.ATTENTION, found, advice)


def _held(catalog: Database) -> Checkup:
    with catalog.reading() as connection:
        count = holds.count(connection, adopt.HOLD)
    if not count:
        return Checkup("held since a rebuild", Condition.OK, "none")
    advice = "Look them through, then `tierkeeper catalog rebuild --approve`."
    return Checkup("held since a rebuild", Condition.ATTENTION, str(count), advice)
