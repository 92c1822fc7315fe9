"""Housekeeping of the catalog and of staging: future partitions, silent and old runs, old rows, unclaimed uploads."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import mode_looks, refusals, runs, staging, unreadable
from tierkeeper.catalog.database import clocks
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import sources
from tierkeeper.engine.operations import ends
from tierkeeper.engine.operations.deliveries import Deliveries
from tierkeeper.engine.operations.months import make_partitions
from tierkeeper.engine.plans import stored
from tierkeeper.stores import deletes
from tierkeeper.stores.base import DeleteState, ModesLook, ObjectKey
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.refusals import refusal
from tierkeeper.values.refusals import Reason
from tierkeeper.values.runs import SweepResult
from tierkeeper_client import texts

_log = log.get(__name__)

Work = Iterator[Mapping[str, int]]

_BATCH = 1000
_MODES = 30.0  # seconds a tier: the next run continues in a larger one
_PARTIAL = ".part"  # suffix that the client gives to an upload until it is whole
#: the attempts of a message that is not delivered again within this time are forgotten; later ones count from zero
COUNTED: Final = timedelta(days=7)
#: what a store refused to a sweep, or of an orphan, and was not asked again for so long: sweeps of tiers are daily
REFUSED: Final = timedelta(days=7)
#: dead letters that did not come again within this time are deleted, skipped or not
DEAD: Final = timedelta(days=30)


def maintain(engine: Engine, *, caller: Caller) -> SweepResult:
    """Run every housekeeping job once; idempotent. The error of one stops no other: the first is raised in the end.

    How many failed is among the run's counts, the reasons of the others are in the log.
    """
    failed: list[Exception] = []
    with run_life.running(engine, RunKind.MAINTAIN, caller=caller) as work:
        for job in JOBS:
            try:
                for counts in job(engine, caller):
                    work.add(counts)
            except Exception as error:  # noqa: BLE001  of the driver too, such as a statement that took too long
                _log.warning("a job of maintain failed", job=job.__name__, error=texts.first_line(str(error)))
                failed.append(error)
        if failed:
            with suppress(Exception):  # the catalog may be what failed
                work.add({"jobs failed": len(failed)})
            raise failed[0]
    return work.result()


def _partitions(engine: Engine, caller: Caller) -> Work:
    yield {"partitions made": len(engine.catalog.run(caller, make_partitions))}


def _constraint(engine: Engine, caller: Caller) -> Work:
    valid = engine.catalog.run(caller, unreadable.validate)
    yield {"constraints validated": int(valid is True), "constraints with broken rows": int(valid is False)}


def _silent_runs(engine: Engine, caller: Caller) -> Work:
    yield {"runs abandoned": engine.catalog.run(caller, run_life.end_silent)}


def _old_runs(engine: Engine, caller: Caller) -> Work:
    yield {"runs forgotten": engine.catalog.run(caller, runs.prune, kept=engine.settings.runs_kept)}


def _deliveries(engine: Engine, caller: Caller) -> Work:
    yield {"deliveries forgotten": Deliveries(engine).forget(kept=COUNTED, caller=caller)}


def _dead_letters(engine: Engine, caller: Caller) -> Work:
    yield {"dead letters ended": Deliveries(engine).end_dead_letters(kept=DEAD, caller=caller)}


def _approvals(engine: Engine, caller: Caller) -> Work:
    yield {"approvals not asked for any more": ends.end_unasked(engine, caller=caller)}


def _skipped_messages(engine: Engine, caller: Caller) -> Work:
    yield {"skipped messages ended": ends.end_skipped(engine, caller=caller)}


def _refusals(engine: Engine, caller: Caller) -> Work:
    yield {"refusals ended": engine.catalog.run(caller, refusals.end_unasked, kept=REFUSED)}


def _commands(engine: Engine, caller: Caller) -> Work:
    ended, known = ends.end_commands(engine, caller=caller)
    yield {"commands ended": ended, "commands kept: a queue's canaries do not come": int(not known)}


def _plans(engine: Engine, caller: Caller) -> Work:
    yield {"plans forgotten": stored.forget_old(engine, caller=caller)}


def _staging(engine: Engine, caller: Caller) -> Work:
    before = ends.needed_no_more(engine)
    yield {"uploads kept: a queue's canaries do not come": int(before is None)}
    try:
        adopted, partial_stays = _register_unclaimed(engine, before=before, caller=caller)
        yield {"uploads adopted": adopted}
        deleted, stays = _delete_expired(engine, before=before, caller=caller)
        yield {"uploads deleted": deleted}
        refused = stays or partial_stays
    except StoreError as error:
        if (reason := refusal(error)) is not None:
            _note_staging(engine, reason, caller=caller)
        raise
    _note_staging(engine, refused, caller=caller)


def _note_staging(engine: Engine, refused: Reason | None, *, caller: Caller) -> None:
    engine.catalog.run(caller, refusals.note_sweep, "staging", RunKind.MAINTAIN.value, refused)


def _modes(engine: Engine, caller: Caller) -> Work:
    """Give files of earlier releases the modes of new ones, until a walk through a whole tier changes nothing."""
    for tier, store in engine.stores.items():
        with engine.catalog.reading() as connection:
            at = mode_looks.reached(connection, tier)
        try:
            look = store.tighten_modes(at, seconds=_MODES)
        except StoreError as error:  # of one tier; health tells of it
            _log.warning("the modes of a tier's files can't be looked at", tier=tier, error=str(error))
            look = ModesLook(left=True, at=at)
        if look.at is not None and look.at != at:
            engine.catalog.run(caller, mode_looks.keep, tier, look.at)
        yield {"modes changed": look.changed, "tiers with modes to look at": int(look.left)}


#: in the order in which they run
JOBS: Final = (
    _partitions,
    _constraint,
    _silent_runs,
    _old_runs,
    _deliveries,
    _dead_letters,
    _approvals,
    _skipped_messages,
    _refusals,
    _commands,
    _plans,
    _staging,
    _modes,
)


def _register_unclaimed(engine: Engine, *, before: datetime | None, caller: Caller) -> tuple[int, Reason | None]:
    """Give a row to uploads that no task claimed within ``staging.ttl``, so that they expire like others; count them.

    The second value says why a partial upload stays, None if none does.

    A partial upload that is so much older than ``before``, left by a producer that died, is deleted at once: no message
    can name it. Where ``before`` is not known the time is not sure either, and it stays.
    """
    store = sources.staging_store(engine.settings)
    refused: Reason | None = None
    try:
        with engine.catalog.reading() as connection:
            oldest = clocks(connection).earlier - engine.settings.staging.ttl
        dead = None if before is None else before - engine.settings.staging.ttl
        old = {s.location: s.modified for s in store.list() if s.modified is not None and s.modified < oldest}
        unclaimed = [UUID(location) for location in old if _is_upload(location)]
        left = [location for location, modified in old.items() if dead is not None and modified < dead]
        partial = [ObjectKey(location) for location in left if location.endswith(_PARTIAL)]
        for start in range(0, len(partial), store.delete_batch):
            refused = deletes.first_refusal(store.delete(partial[start : start + store.delete_batch])) or refused
    finally:
        store.close()
    for start in range(0, len(unclaimed), _BATCH):
        engine.catalog.run(caller, staging.register_unclaimed, unclaimed[start : start + _BATCH])
    return len(unclaimed), refused


def _delete_expired(engine: Engine, *, before: datetime | None, caller: Caller) -> tuple[int, Reason | None]:
    """Delete uploads, claimed or adopted, that expired ``before`` and that no kept message still needs; None: none.

    Return how many, and why one stays, None if none does.
    """
    deleted = 0
    if before is None:
        return deleted, None
    store = sources.staging_store(engine.settings)
    try:
        while True:
            with engine.catalog.reading() as connection:
                held, limit = engine.settings.messages.max_age, min(_BATCH, store.delete_batch)
                names = staging.expired(connection, before=before, held=held, limit=limit)
            if not names:
                return deleted, None
            results = store.delete([ObjectKey(str(name)) for name in names])
            gone = [n for n, r in zip(names, results, strict=True) if r.state is DeleteState.DELETED]
            engine.catalog.run(caller, staging.forget, gone)
            deleted += len(gone)
            refused = deletes.first_refusal(results)
            if refused is not None:
                return deleted, refused  # the next maintain tries again
    finally:
        store.close()


def _is_upload(location: str) -> bool:
    try:
        UUID(location)
    except ValueError:
        return False
    return True
