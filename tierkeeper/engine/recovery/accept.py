"""An operator's two decisions after a catalog was restored or rebuilt.

Accept the catalog: the stores are compared with it (:mod:`tierkeeper.engine.recovery.stocktake`), so that nothing
stored or moved meanwhile is taken for an orphan; then its epoch is raised above every epoch seen, and collect resumes.
Approve the artifacts that were found only in the stores: their hold named ``rebuilt`` is released, and policies apply
to them again.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.audit.artifacts import HoldNames, HoldReleased, ReleasedHold
from tierkeeper.audit.catalog import RestoreAccepted
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import AcceptedMeanwhile, CatalogRestored
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import artifacts, blobs, epochs, holds, identity, placements, rebuilding, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.epochs import Epoch
from tierkeeper.catalog.rebuilding import InterruptedIntent
from tierkeeper.catalog.runs import AcceptArguments
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.record import record
from tierkeeper.engine.recovery import adopt, stocktake
from tierkeeper.engine.recovery.adopt import Adopted
from tierkeeper.engine.trust import epoch, places
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.recovery import Acceptance, Approved

_BATCH = 500
_LEASES = 1.5  # lease lengths to wait: by then every lease that is not renewed has expired


def accept(
    engine: Engine,
    *,
    caller: Caller,
    reason: str,
    dry_run: bool = False,
    found: Callable[[Adopted], None] | None = None,
    progress: ProgressCallback | None = None,
) -> Acceptance:
    """Compare the catalog with the stores, then trust it; a catalog that is trusted already is left as it is.

    The catalog and the marks of its tiers get a new line: of two copies of one catalog, only the one accepted last can
    use the tiers. Raises CatalogRestored while a rebuild is unfinished, StoreTransient where a tier does not answer,
    and AcceptedMeanwhile where another accept finished first.
    """
    line = _line(engine.catalog)
    with engine.marks.assuming(places.of_this_catalog(engine)):
        accepted = _accept(engine, line, caller=caller, reason=reason, dry_run=dry_run, found=found, progress=progress)
    if not dry_run:
        places.renew(engine)
    return accepted


def _line(catalog: Database) -> UUID | None:
    with catalog.reading() as connection:
        known = identity.read(connection)
    return None if known is None else known.line


def _accept(
    engine: Engine,
    line: UUID | None,
    *,
    caller: Caller,
    reason: str,
    dry_run: bool,
    found: Callable[[Adopted], None] | None,
    progress: ProgressCallback | None,
) -> Acceptance:
    doubt = epoch.check(engine, caller=caller)
    highest = max(epoch.twins(engine), default=0)
    with engine.catalog.reading() as connection:
        standing = epochs.standing(connection)
    if standing.trust == epochs.REBUILDING:
        raise CatalogRestored(reason=standing.reason)
    if doubt is None:
        return Acceptance(None, standing.epoch.number, {}, dry_run)
    if dry_run:
        counts = stocktake.take_stock(engine, caller=caller, run=None, dry_run=True, found=found, progress=progress)
        return Acceptance(doubt, None, counts, dry_run)
    with run_life.running(engine, RunKind.REBUILD, caller=caller, arguments=AcceptArguments(doubt)) as work:
        # misses noted in another state of the catalog do not count (R20)
        engine.catalog.run(caller, placements.forget_misses)
        intents = _forget_intents(engine, caller=caller)
        counts = stocktake.take_stock(
            engine, caller=caller, run=work.run, intents=intents, found=found, progress=work.moved(progress)
        )
        raised = engine.catalog.run(caller, _accepted, line=line, highest=highest, caller=caller, reason=reason)
        epoch.write_twin(engine, raised, caller=caller)
        work.add(counts)
    return Acceptance(doubt, raised.number, counts)


def _forget_intents(engine: Engine, *, caller: Caller) -> list[InterruptedIntent]:
    """Drop and return the intents that came with the older catalog: collect would delete their bytes as stale.

    Their copies may have been committed since, and the sources collected; then the stores have the bytes, and these are
    taken over. Writers at work now renew their leases and those of the older catalog do not, so the drop waits until
    the older leases have expired.
    """
    with engine.catalog.reading() as connection:
        before = epochs.noted_at(connection)
    deadline = time.monotonic() + engine.lease * _LEASES
    while time.monotonic() < deadline:
        with engine.catalog.reading() as connection:
            if not rebuilding.intents_at_work(connection, before=before):
                break
        time.sleep(1)
    return engine.catalog.run(caller, _drop_ended_intents, before=before)


def _drop_ended_intents(connection: sa.Connection, *, before: datetime) -> list[InterruptedIntent]:
    ended = rebuilding.ended_intents(connection, before=before)
    touched = {intent.blob for intent in ended}
    blobs.lock(connection, touched)
    dropped = rebuilding.drop_intents(connection, [intent.id for intent in ended])
    blobs.drop_unused(connection, touched)
    return dropped


def _accepted(connection: sa.Connection, *, line: UUID | None, highest: int, caller: Caller, reason: str) -> Epoch:
    epochs.lock(connection)
    known = identity.read(connection, lock=True)
    if known is not None and known.line != line:
        raise AcceptedMeanwhile
    now = catalog_now(connection)
    number = max(highest, epochs.standing(connection).epoch.number) + 1
    raised = Epoch(number, uuid4(), uuid4(), epochs.server(connection))
    epochs.raise_to(connection, raised, by=caller.actor, reason=reason, now=now)
    epochs.set_trust(connection, epochs.TRUSTED, by=caller.actor, reason=reason, now=now, event=RestoreAccepted)
    identity.begin_line(connection, by=caller.actor, reason=reason, now=now)
    return raised


def approve(catalog: Database, *, caller: Caller, reason: str, dry_run: bool = False) -> Iterator[Approved]:
    """Release the holds named ``rebuilt``, batch by batch; yield each artifact. A dry run releases none."""
    after: UUID = UUID(int=0)
    while True:
        with catalog.reading() as connection:
            ids = holds.under(connection, adopt.HOLD, after=after, limit=_BATCH)
            rows = artifacts.load(connection, ids)
        if not ids:
            return
        after = ids[-1]
        if not dry_run:
            catalog.run(caller, _release, ids=ids, caller=caller, reason=reason)
        yield from (Approved(row.ref, f"held since it was rebuilt, of {row.created_at:%Y-%m-%d}") for row in rows)


def _release(connection: sa.Connection, *, ids: list[UUID], caller: Caller, reason: str) -> None:
    blobs.lock(connection, artifacts.blobs_of(connection, ids))
    rows = artifacts.lock(connection, ids)
    now = catalog_now(connection)
    released = holds.release(connection, ids, adopt.HOLD, by=caller.actor, now=now)
    changed = [row for row in rows if row.id in released]
    schedule.put(connection, [schedule.Coming(row.id, row.tenant, now, "converge") for row in changed])
    record(
        connection,
        changed,
        lambda row: HoldReleased(before=HoldNames(holds=row.holds), after=ReleasedHold(hold=adopt.HOLD, reason=reason)),
        now=now,
        caller=caller,
    )
