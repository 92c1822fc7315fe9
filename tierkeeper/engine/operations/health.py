"""The health of the installation, read from the catalog and the tiers: is due work done, and how late.

No process is asked whether it is alive. Liveness is judged by results: due work gets done, and the canaries that Beat
sends come through their queues.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from tierkeeper.base import callers
from tierkeeper.base.metrics import HEALTH
from tierkeeper.base.quantities import format_duration
from tierkeeper.base.secrets import masked
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import heartbeats, refusals, sweep_ends, switches
from tierkeeper.catalog.database import Clocks, Database, catalog_now, clocks
from tierkeeper.catalog.health import CatalogSigns, signs
from tierkeeper.engine.context import Engine
from tierkeeper.engine.mark_check import Marks
from tierkeeper.engine.operations import broker, sweep_vitals
from tierkeeper.engine.operations.probing import ask_all
from tierkeeper.settings import order
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import Store
from tierkeeper.values.health import Condition, Health, Vital
from tierkeeper.values.refusals import SweepRefusal
from tierkeeper_client.contract import Queue
from tierkeeper_client.errors import TierkeeperError

HOUR: Final = 3600.0
RECENT: Final = 2 * heartbeats.SLOT  # seconds over which the rate is counted
APART: Final = timedelta(minutes=5)  # between two clocks; S3 refuses requests whose clock is 15 minutes off
UNSETTLED: Final = timedelta(minutes=10)  # age of unsettled events; only a rebuild's transactions last longer
REFUSED: Final = timedelta(days=1)  # age of a refusal that does not pass by itself; sweeps of tiers are daily
MANY: Final = 100  # artifacts that are tried again at once, above which it is more than a hiccup
PERCENTILES: Final = (50, 99)


def canary(engine: Engine, through: Queue, *, sent_at: datetime | None) -> None:
    """Note that a canary came through a queue."""
    apart = order.unbroken(engine.settings.broker)
    engine.catalog.run(callers.WORKER, heartbeats.canary, through.value, sent_at=sent_at, apart=apart)


def since_last_canary(catalog: Database, queues: Collection[Queue]) -> timedelta | None:
    """Return how long ago a canary last came through any of these queues; None if none ever did."""
    with catalog.reading() as connection:
        canaries = heartbeats.canaries(connection)
        now = catalog_now(connection)
    return min((now - canaries[queue].at for queue in queues if queue in canaries), default=None)


def health(engine: Engine, *, tiers: bool = True) -> Health:
    """Return every vital sign; ``tiers``: check the stores too, waiting ``health.probe`` at most.

    Raises CatalogUnavailable.
    """
    with engine.catalog.reading() as connection:
        look = signs(connection, tiers=engine.stores, lease=engine.settings.engine.lease)
        canaries = heartbeats.canaries(connection)
        slots = heartbeats.recent_slots(connection, seconds=HOUR)
        refused = switches.deletes_refused(connection)
        sweeps = refusals.of_sweeps(connection)
        failing, dumped = sweep_ends.failing(connection), sweep_ends.last_done(connection, RunKind.DUMP)
        begun = sweep_ends.begun(connection) or look.now
        now = clocks(connection)
    vitals = [
        *_due(engine.settings, look, slots),
        _clock(now),
        _events(look),
        _beat(engine.settings, look.now, canaries),
        *_canaries(engine.settings, look.now, canaries),
        *_waiting(look, refused),
        *_refusals(look, sweeps),
        *sweep_vitals.sweeps(look.now, failing, dumped, begun=begun if _keeps_dumps(engine) else None),
        *_asked(engine, tiers=tiers),
    ]
    for vital in vitals:
        HEALTH.labels(vital=vital.name, unit=vital.unit).set(math.nan if vital.value is None else vital.value)
    return Health(tuple(vitals))


def _keeps_dumps(engine: Engine) -> bool:
    return any(not tier.is_database for tier in engine.tiers)


def _due(settings: Settings, look: CatalogSigns, slots: Sequence[heartbeats.Slot]) -> Iterator[Vital]:
    limit = settings.health.overdue
    oldest = timedelta(0) if look.oldest is None else look.now - look.oldest
    late = (
        f"an item has been due for {format_duration(_whole(oldest))}, and nobody works on it" if oldest > limit else ""
    )
    yield Vital("overdue", Condition.BAD if late else Condition.OK, oldest.total_seconds(), "s", late)
    yield Vital("due", Condition.OK, look.due, "items")
    recent = [slot for slot in slots if (look.now - slot.at).total_seconds() <= RECENT]
    span = (look.now - recent[0].at).total_seconds() if recent else 0.0
    rate = sum(sum(slot.counts.values()) for slot in recent) / max(span, 1.0)
    yield Vital("rate", Condition.OK, round(rate, 3), "items/s")
    yield Vital("clear", Condition.OK, 0.0 if not look.due else look.due / rate if rate else None, "s")
    total = Counter[int]()
    for slot in slots:
        total.update(slot.counts)
    for percent in PERCENTILES:
        yield Vital(f"latency p{percent}", Condition.OK, percentile(total, percent), "s")


def percentile(counts: Mapping[int, int], percent: int) -> float | None:
    """Return the bound in seconds within which ``percent`` of the counted items were done; None without any."""
    wanted = sum(counts.values()) * percent / 100
    seen = 0
    for power in sorted(counts):
        seen += counts[power]
        if seen >= wanted:
            return float(2**power)
    return None


def _clock(now: Clocks) -> Vital:
    apart = now.later - now.earlier
    detail = (
        f"the catalog's clock and this machine's are {format_duration(_whole(apart))} apart: mend the wrong one; no"
        " quarantine of reconcile ends before both are past it"
        if apart > APART
        else ""
    )
    return Vital("clock", Condition.BAD if detail else Condition.OK, apart.total_seconds(), "s", detail)


def _events(look: CatalogSigns) -> Vital:
    waits_for = timedelta(0) if look.unsettled is None else max(timedelta(0), look.now - look.unsettled)
    detail = (
        f"who follows the events has read none for {format_duration(_whole(waits_for))}: a transaction on the"
        " catalog's server has been open for longer; see pg_stat_activity"
        if waits_for > UNSETTLED
        else ""
    )
    return Vital("events", Condition.ATTENTION if detail else Condition.OK, waits_for.total_seconds(), "s", detail)


def _beat(settings: Settings, now: datetime, canaries: Mapping[str, heartbeats.Canary]) -> Vital:
    # a canary was sent before it came through, whatever the clock of Beat's host says
    ticks = [min(c.sent_at or c.at, c.at) for c in canaries.values()]
    if not ticks:
        return Vital("beat", Condition.BAD, None, "s", "it has never been heard of; start it, and a worker")
    ago = now - max(ticks)
    late = ago > settings.health.beat
    detail = f"the last that was heard of it is {format_duration(_whole(ago))} old" if late else ""
    return Vital("beat", Condition.BAD if late else Condition.OK, ago.total_seconds(), "s", detail)


def _canaries(settings: Settings, now: datetime, canaries: Mapping[str, heartbeats.Canary]) -> Iterator[Vital]:
    limit = settings.health.canary
    for each in Queue:
        name, known = f"canary {each.value}", canaries.get(each.value)
        if known is None:
            yield Vital(name, Condition.BAD, None, "s", "none has ever come through; does a worker serve this queue?")
            continue
        took = max(timedelta(0), known.at - (known.sent_at or known.at))
        if now - known.at > limit:
            detail = f"none has come through for {format_duration(_whole(now - known.at))}"
        else:
            detail = f"the last one took {format_duration(_whole(took))}" if took > limit else ""
        yield Vital(name, Condition.BAD if detail else Condition.OK, took.total_seconds(), "s", detail)


def _waiting(look: CatalogSigns, refused: str | None) -> Iterator[Vital]:
    """Yield what needs an operator's attention without stopping the work, then ``lost`` and ``deletes``."""
    many = look.retrying > MANY or look.stubborn > 0
    failing = "artifacts failed and are tried again: `tierkeeper stats` has the reasons by tier, `explain` their words"
    yield Vital("retrying", Condition.ATTENTION if many else Condition.OK, look.retrying, "", failing if many else "")
    for name, count, detail in (
        ("parked", look.parked, "artifacts are parked; see `tierkeeper parked list`"),
        ("parked deliveries", look.parked_deliveries, "messages are parked; see `tierkeeper parked list`"),
        ("approvals", look.awaiting, "runs await an approval; see `tierkeeper runs list`"),
        ("unvouched", look.unvouched, "copies count only once they were read: `tierkeeper verify` reads these first"),
        (
            "unseen",
            look.unseen,
            "copies are kept for more than a day as those that stay were not seen: see collect's log",
        ),
        ("damaged", look.damaged, "copies were found damaged; the wanted ones are made again where a good one is left"),
        ("not found", look.missed, "copies were not found once, and are looked for again; see `tierkeeper reconcile`"),
    ):
        yield Vital(name, Condition.ATTENTION if count else Condition.OK, count, "", detail if count else "")
    unkept = look.dead_letters_unkept
    dead = "messages were refused; see `tierkeeper parked list --kind malformed`" if look.dead_letters else ""
    dead += f"; {unkept} more were counted and not kept: find who sends them" if unkept else ""
    state = Condition.BAD if unkept else Condition.ATTENTION if dead else Condition.OK
    yield Vital("dead letters", state, look.dead_letters, "", dead)
    lost = (
        "contents have no readable copy left: `tierkeeper reconcile` names them and reads their copies once more;"
        " otherwise only storing them again brings them back"
    )
    yield Vital("lost", Condition.BAD if look.lost else Condition.OK, look.lost, "", lost if look.lost else "")
    off = "" if refused is None else f"nothing is deleted: {refused}"
    yield Vital("deletes", Condition.ATTENTION if off else Condition.OK, None, "", off)


def _refusals(look: CatalogSigns, sweeps: Sequence[SweepRefusal]) -> Iterator[Vital]:
    """Yield what stores refuse: attention at once, for it may pass; bad after ``REFUSED``, for then it does not.

    What a lock of the store's own keeps is never bad: it goes when the lock ends.
    """

    def condition(refused: int, since: datetime | None) -> Condition:
        if since is not None and look.now - since > REFUSED:
            return Condition.BAD
        return Condition.ATTENTION if refused else Condition.OK

    detail = (
        "copies and orphans stay because their stores refuse to delete them; `tierkeeper doctor` has their words"
        if look.refused
        else ""
    )
    yield Vital("refused deletes", condition(look.refused, look.refused_since), look.refused, "", detail)
    first = min((each.refusal.since for each in sweeps), default=None)
    told = "; ".join(f"{each.sweep} of {each.tier}: {each.refusal}" for each in sweeps)
    yield Vital("refused sweeps", condition(len(sweeps), first), len(sweeps), "", told)


def _asked(engine: Engine, *, tiers: bool) -> list[Vital]:
    """Check the broker and every store in parallel; a check that is still open at the limit is reported as such."""
    within = engine.settings.health.probe
    calls: dict[str, Callable[[], None]] = {}
    if (url := engine.settings.broker.url) is not None:
        calls["broker"] = partial(broker.ask, url, seconds=within.total_seconds())
    if tiers:
        calls |= {
            f"tier {tier.name}": partial(_confirmed, engine.marks, engine.store(tier.name)) for tier in engine.tiers
        }
    told = {name: _words(error) for name, error in ask_all(calls, within=within).items()}
    return [
        Vital(name, Condition.BAD if name in told else Condition.OK, None, "", told.get(name, "")) for name in calls
    ]


def _confirmed(marks: Marks, store: Store) -> None:
    store.check()
    marks.confirm(store)  # before anything is written: the place may be another's
    store.check_writes()


def _words(error: Exception) -> str:
    known = isinstance(error, TierkeeperError | TimeoutError)
    return masked(str(error) if known else f"{type(error).__name__}: {error}")


def _whole(duration: timedelta) -> timedelta:
    return timedelta(seconds=round(duration.total_seconds()))
