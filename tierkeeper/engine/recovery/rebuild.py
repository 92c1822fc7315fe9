"""Rebuild a lost catalog from the newest dump, the exported events, and the objects in the stores.

1. check: see that the catalog is empty, the dump complete, and the tiers marked by one catalog. Nothing has changed.
2. fetch: copy the dump's files to this machine's disk, each with the hash in its manifest. Nothing has changed.
3. load (transaction): load the dump, set the catalog's identity to that of the tiers' marks, and raise the epoch above
   every epoch seen; the catalog is marked as being rebuilt, so that nothing is deleted. A crash before the commit
   leaves the catalog empty.
4. compare: list every tier (:mod:`tierkeeper.engine.recovery.stocktake`); objects newer than the dump are adopted
   under a hold, missing copies are reported. A crash during it leaves a catalog that is being rebuilt: the same command
   resumes.
5. finish: write the catalog's marks to the tiers; then (transaction, and the epoch's twin) the catalog is rebuilt, and
   not trusted until an operator accepts it. A crash before the transaction leaves a catalog that is being rebuilt.

A rebuild from the objects alone has no files in step 2 and loads no rows in step 3: contents and their first names are
recovered, all of them under the hold.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.audit.catalog import CatalogRebuilt, RebuildBegun
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogInUse, DumpUnusable
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import dumps, epochs, identity, placements, rebuilding, segments, unreadable
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.epochs import Epoch
from tierkeeper.catalog.identity import Identity
from tierkeeper.catalog.rebuilding import InterruptedIntent
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import dump_files, stocktake
from tierkeeper.engine.recovery.adopt import Adopted
from tierkeeper.engine.recovery.dump import dumps_home
from tierkeeper.engine.recovery.dump_files import Manifest
from tierkeeper.engine.trust import epoch, places
from tierkeeper.engine.trust.places import Heritage
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.recovery import RebuildResult
from tierkeeper_client.digest import Digest

_UNFINISHED = "it is being rebuilt: run `tierkeeper catalog rebuild` to its end"


@dataclass(frozen=True, slots=True)
class RebuildSource:
    """The sources of a rebuild; no manifest where it uses the objects alone, or resumes an unfinished rebuild."""

    unfinished: bool
    heritage: Heritage
    manifest: Manifest | None
    later: tuple[str, ...] = ()  # dumps with a later time than the manifest's, which is newer by its epoch


@dataclass(slots=True)
class Fetched:
    """The files of a dump on this machine's disk: (table, columns, file) each, and the event files in their order."""

    tables: list[tuple[str, Sequence[str], BinaryIO]] = field(default_factory=list)
    events: list[BinaryIO] = field(default_factory=list)


def rebuild(
    engine: Engine,
    *,
    caller: Caller,
    dump: str | None = None,
    objects_only: bool = False,
    dry_run: bool = False,
    found: Callable[[Adopted], None] | None = None,
    progress: ProgressCallback | None = None,
) -> RebuildResult:
    """Rebuild an empty catalog, or resume a rebuild where it stopped.

    Raises CatalogInUse, DumpMissing, DumpUnusable, and StoreTransient where a tier does not answer. A dry run only
    compares the dump with the stores' listings, and returns how much would be recovered.
    """
    base = step_1_check(engine, dump=dump, objects_only=objects_only)
    with engine.marks.assuming(base.heritage.marks):
        if dry_run:
            return _result(None, base, stocktake.preview(engine, base.manifest, progress=progress), dry_run=True)
        intents: list[InterruptedIntent] = []
        if not base.unfinished:
            with ExitStack() as stack:
                intents = step_3_load(engine, base, step_2_fetch(engine, base, stack), caller=caller)
        with run_life.running(engine, RunKind.REBUILD, caller=caller) as work:
            counts = step_4_compare(
                engine, work.run, intents, caller=caller, found=found, progress=work.moved(progress)
            )
            step_5_finish(engine, base, caller=caller)
            work.add(counts)
    return _result(work.run, base, counts, dry_run=False)


def _result(run: UUID | None, base: RebuildSource, counts: Mapping[str, int], *, dry_run: bool) -> RebuildResult:
    manifest = base.manifest
    rows = {part.table: part.rows for part in manifest.parts} if manifest else {}
    name, taken_at = (manifest.name, manifest.taken_at) if manifest else (None, None)
    return RebuildResult(run, name, taken_at, rows, dict(counts), dry_run, base.later)


def step_1_check(engine: Engine, *, dump: str | None, objects_only: bool) -> RebuildSource:
    """Return what the catalog is rebuilt from; CatalogInUse unless it is empty or an unfinished rebuild."""
    with engine.catalog.reading() as connection:
        unfinished = _unfinished(connection)
    heritage = places.inherit(engine, unfinished=unfinished)
    if objects_only or unfinished:
        return RebuildSource(unfinished, heritage, None)
    with engine.marks.assuming(heritage.marks):
        store = dumps_home(engine)
        views = dump_files.listed(store)
        base = dump_files.chosen(views, store.config.tier, dump)
        manifest = dump_files.read_manifest(store, base.name)
    _check_columns(manifest)
    later = () if dump is not None else tuple(view.name for view in dump_files.misleading(views, base))
    return RebuildSource(unfinished, heritage, manifest, later)


def _unfinished(connection: sa.Connection) -> bool:
    if epochs.standing(connection).trust == epochs.REBUILDING:
        return True
    used = dumps.in_use(connection)
    if used is not None:
        raise CatalogInUse(what=used)
    return False


def _check_columns(manifest: Manifest) -> None:
    """Raise DumpUnusable for tables or columns that this version does not know; columns it lacks get their defaults."""
    known = dumps.tables()
    for part in manifest.parts:
        if part.table not in known or not set(part.columns) <= set(dumps.columns(part.table)):
            problem = f"it is of revision {manifest.revision}, which is newer: {part.table} is not known as it has it"
            raise DumpUnusable(name=manifest.name, problem=problem)


def step_2_fetch(engine: Engine, base: RebuildSource, stack: ExitStack) -> Fetched:
    """Return the dump's files, open until ``stack`` is closed; DumpUnusable where a file has another hash."""
    fetched, manifest = Fetched(), base.manifest
    if manifest is not None:
        fetch = partial(_fetched, engine.settings, dumps_home(engine), manifest)
        parts = {part.table: part for part in manifest.parts}
        for name in dumps.tables():
            if name in parts:
                file = stack.enter_context(fetch(parts[name].location, parts[name].sha256))
                fetched.tables.append((name, parts[name].columns, file))
        fetched.events += [stack.enter_context(fetch(segment.location, segment.sha256)) for segment in manifest.events]
    return fetched


def step_3_load(engine: Engine, base: RebuildSource, fetched: Fetched, *, caller: Caller) -> list[InterruptedIntent]:
    """Load the dump, its identity and its epoch; return the intents that were open when the dump was taken."""
    highest = max(epoch.twins(engine), default=0)
    return engine.catalog.run(caller, _load, base, fetched, highest=highest, grace=engine.grace, caller=caller)


def _load(
    connection: sa.Connection, base: RebuildSource, fetched: Fetched, *, highest: int, grace: timedelta, caller: Caller
) -> list[InterruptedIntent]:
    manifest = base.manifest
    epochs.lock(connection)
    if _unfinished(connection):
        return []  # an earlier try of this transaction, whose reply was lost
    if manifest is not None:
        dumps.clear(connection)
        gate = unreadable.lift(connection)
        for name, columns, file in fetched.tables:
            dumps.load(connection, name, columns, _unpacked(file))
        unreadable.enforce(connection, gate)
        for file in fetched.events:
            dumps.load_events(connection, manifest.event_columns, _unpacked(file))
        segments.forget_returned(connection)
    now = catalog_now(connection)
    _take_over(connection, manifest, base.heritage, caller=caller, now=now)
    intents = rebuilding.end_unfinished(connection, now=now, later=now + grace)
    placements.forget_misses(connection)
    number = max(highest, epochs.standing(connection).epoch.number) + 1
    raised = Epoch(number, uuid4(), uuid4(), epochs.server(connection))
    epochs.raise_to(connection, raised, by=caller.actor, reason="a rebuild", now=now)
    epochs.set_trust(connection, epochs.REBUILDING, by=caller.actor, reason=_UNFINISHED, now=now, event=RebuildBegun)
    return intents


def _take_over(
    connection: sa.Connection, manifest: Manifest | None, heritage: Heritage, *, caller: Caller, now: datetime
) -> None:
    """Give the catalog the identity in the tiers' marks; DumpUnusable where the dump is of another catalog."""
    known = identity.read(connection)
    if manifest is not None and known is not None and heritage.catalog not in {None, known.catalog}:
        problem = f"it is of catalog {known.catalog}, and the tiers have the marks of {heritage.catalog}"
        raise DumpUnusable(name=manifest.name, problem=problem)
    heir = Identity(
        catalog=heritage.catalog or (known.catalog if known else uuid4()),
        line=heritage.line or (known.line if known else uuid4()),
        tiers={tier: mark.made for tier, mark in heritage.marks.items()},
        was=next(iter(heritage.own), None),
        founded=known is not None and known.founded,
    )
    identity.write(connection, heir, by=caller.actor, reason="a rebuild", now=now)


def step_4_compare(
    engine: Engine,
    run: UUID | None,
    intents: Sequence[InterruptedIntent],
    *,
    caller: Caller,
    found: Callable[[Adopted], None] | None,
    progress: ProgressCallback | None,
) -> Mapping[str, int]:
    """List every tier, adopt objects newer than the dump, report missing copies; return the counts."""
    return stocktake.take_stock(engine, caller=caller, run=run, intents=intents, found=found, progress=progress)


def step_5_finish(engine: Engine, base: RebuildSource, *, caller: Caller) -> None:
    """Renew the marks, set the catalog to rebuilt but not accepted, then write the epoch's twin."""
    places.renew(engine, replacing=base.heritage.own)
    made_from = "what an interrupted rebuild left" if base.unfinished else "objects alone"
    reason = f"it was rebuilt from {f'dump {base.manifest.name}' if base.manifest else made_from}"
    epoch.write_twin(engine, engine.catalog.run(caller, _set_rebuilt, reason=reason, caller=caller), caller=caller)


def _set_rebuilt(connection: sa.Connection, *, reason: str, caller: Caller) -> Epoch:
    epochs.lock(connection)
    now = catalog_now(connection)
    epochs.set_trust(connection, epochs.RESTORED, by=caller.actor, reason=reason, now=now, event=CatalogRebuilt)
    return epochs.standing(connection).epoch


@contextmanager
def _fetched(settings: Settings, store: Store, manifest: Manifest, location: str, sha256: str) -> Iterator[BinaryIO]:
    """Yield a copy of a dump's file on this machine's disk; DumpUnusable where its SHA-256 is not the manifest's."""
    with SpooledTemporaryFile(max_size=settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        digest = Digest()
        with store.open(ObjectKey(location)) as chunks:
            for chunk in chunks:
                digest.add(chunk)
                spool.write(chunk)
        if digest.sha256.hex() != sha256:
            raise DumpUnusable(name=manifest.name, problem=f"the bytes of {location} are not those it was made with")
        yield cast("BinaryIO", spool)


def _unpacked(file: BinaryIO) -> gzip.GzipFile:
    file.seek(0)  # a transaction may be run again
    return gzip.GzipFile(fileobj=file, mode="rb")
