"""Make the catalog again: from the newest dump and the exported events, and from what the stores have.

1. look: the catalog is empty, the dump is complete, the tiers have the marks of one catalog. Nothing has changed.
2. fetch: the dump's files onto this machine's disk, each with the hash that its manifest says. Nothing has changed.
3. load (transaction): all of it, which catalog this is, as the marks in the tiers say, and the epoch above every one
   seen; the catalog says of itself that it is being rebuilt, so that nothing is deleted. A crash before its commit
   leaves the catalog empty.
4. compare: every tier is listed (:mod:`tierkeeper.engine.stocktaking`); what is newer than the dump is taken over under
   a hold, what is missing is reported. A crash in it leaves a catalog that is being rebuilt: the same command goes on.
5. finish (transaction, then the epoch's twin): rebuilt, and not trusted until an operator accepts it.

From the objects alone there is no step 2, and step 3 loads nothing: bytes and first names come back, all of it held.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.base.errors import CatalogInUse, DumpUnusable
from tierkeeper.base.recovery import RebuildResult
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import dumps, epochs, identity, placements, rebuilding, runs
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.epochs import Epoch
from tierkeeper.catalog.identity import Identity
from tierkeeper.catalog.rebuilding import Intent
from tierkeeper.engine import dump as dumping
from tierkeeper.engine import dumpfiles, epoch, marking, stocktaking
from tierkeeper.engine.adopt import Adopted
from tierkeeper.engine.context import Engine
from tierkeeper.engine.dumpfiles import Manifest
from tierkeeper.engine.marking import Heritage
from tierkeeper.stores.base import ObjectKey, Store

_UNFINISHED = "it is being rebuilt: run `tierkeeper catalog rebuild` to its end"


def rebuild(
    engine: Engine,
    *,
    actor: str,
    dump: str | None = None,
    objects_only: bool = False,
    dry_run: bool = False,
    found: Callable[[Adopted], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> RebuildResult:
    """Rebuild an empty catalog, or go on where a rebuild stopped.

    Raises CatalogInUse, DumpMissing, DumpUnusable, StoreTransient where a tier does not answer. A dry run compares
    nothing but the dump with what the stores list, and says how much would come back.
    """
    unfinished = _look(engine)
    heritage = marking.inherit(engine, unfinished=unfinished)
    with engine.marks.assuming(heritage.marks):
        result = _rebuild(
            engine,
            heritage,
            unfinished,
            actor=actor,
            dump=dump,
            objects_only=objects_only,
            dry_run=dry_run,
            found=found,
            progress=progress,
        )
    if not dry_run:
        marking.renew(engine, replacing=heritage.own)
    return result


def _rebuild(
    engine: Engine,
    heritage: Heritage,
    unfinished: bool,  # noqa: FBT001  it is one of two ways
    *,
    actor: str,
    dump: str | None,
    objects_only: bool,
    dry_run: bool,
    found: Callable[[Adopted], None] | None,
    progress: Callable[[int], None] | None,
) -> RebuildResult:
    manifest = None
    if not objects_only and not unfinished:
        store = dumping.home(engine)
        manifest = dumpfiles.read_manifest(store, store.config.tier, dump)
        _check_columns(manifest)
    rows = {part.table: part.rows for part in manifest.parts} if manifest else {}
    if dry_run:
        counts = stocktaking.preview(engine, manifest, progress=progress)
        return _result(None, manifest, rows, dict(counts), dry_run=True)
    intents = [] if unfinished else _load(engine, manifest, heritage, actor=actor)
    run = engine.catalog.run(lambda c: runs.begin(c, RunKind.REBUILD, actor=actor))
    try:
        counts = stocktaking.take_stock(engine, actor=actor, run=run, intents=intents, found=found, progress=progress)
        _finish(engine, manifest, actor=actor, unfinished=unfinished)
    except BaseException:
        engine.catalog.run(lambda c: runs.finish(c, run, RunState.FAILED))
        raise
    engine.catalog.run(partial(runs.add, run=run, counts=counts))
    engine.catalog.run(lambda c: runs.finish(c, run))
    return _result(run, manifest, rows, dict(counts), dry_run=False)


def _result(
    run: UUID | None, manifest: Manifest | None, rows: dict[str, int], counts: dict[str, int], *, dry_run: bool
) -> RebuildResult:
    name, taken_at = (manifest.name, manifest.taken_at) if manifest else (None, None)
    return RebuildResult(run, name, taken_at, rows, counts, dry_run)


def _look(engine: Engine) -> bool:
    """Return whether a rebuild stopped half-way; CatalogInUse where there is something else in the catalog."""
    with engine.catalog.reading() as connection:
        return _unfinished(connection)


def _unfinished(connection: sa.Connection) -> bool:
    if epochs.standing(connection).trust == epochs.REBUILDING:
        return True
    used = dumps.in_use(connection)
    if used is not None:
        raise CatalogInUse(what=used)
    return False


def _check_columns(manifest: Manifest) -> None:
    """Refuse a dump with more than this version of the code knows of; what it lacks gets its defaults."""
    known = dumps.tables()
    for part in manifest.parts:
        if part.table not in known or not set(part.columns) <= set(dumps.columns(part.table)):
            problem = f"it is of revision {manifest.revision}, which is newer: {part.table} is not known as it has it"
            raise DumpUnusable(name=manifest.name, problem=problem)


def _load(engine: Engine, manifest: Manifest | None, heritage: Heritage, *, actor: str) -> list[Intent]:
    highest = max(epoch.twins(engine), default=0)
    with ExitStack() as stack:
        tables, events = [], []
        if manifest is not None:
            fetch = partial(_fetched, engine, dumping.home(engine), manifest)
            parts = {part.table: part for part in manifest.parts}
            for name in dumps.tables():
                if name in parts:
                    file = stack.enter_context(fetch(parts[name].location, parts[name].sha256))
                    tables.append((name, parts[name].columns, file))
            events = [stack.enter_context(fetch(segment.location, segment.sha256)) for segment in manifest.events]

        def unit(connection: sa.Connection) -> list[Intent]:
            epochs.lock(connection)
            if _unfinished(connection):
                return []  # an earlier try of this transaction, whose reply was lost
            if manifest is not None:
                dumps.clear(connection)
                for name, columns, file in tables:
                    dumps.load(connection, name, columns, _unpacked(file))
                for file in events:
                    dumps.load_events(connection, manifest.event_columns, _unpacked(file))
            now = catalog_now(connection)
            _take_over(connection, manifest, heritage, by=actor, now=now)
            intents = rebuilding.settle(connection, now=now, later=now + engine.grace)
            placements.forget_misses(connection)
            number = max(highest, epochs.standing(connection).epoch.number) + 1
            here = Epoch(number, uuid4(), uuid4(), epochs.server(connection))
            epochs.raise_to(connection, here, by=actor, reason="a rebuild", now=now)
            epochs.set_trust(
                connection, epochs.REBUILDING, by=actor, reason=_UNFINISHED, now=now, event="rebuild begun"
            )
            return intents

        return engine.catalog.run(unit)


def _take_over(
    connection: sa.Connection, manifest: Manifest | None, heritage: Heritage, *, by: str, now: datetime
) -> None:
    """Make the catalog the one that the tiers belong to; DumpUnusable where the dump is another one's."""
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
    identity.write(connection, heir, by=by, reason="a rebuild", now=now)


def _finish(engine: Engine, manifest: Manifest | None, *, actor: str, unfinished: bool) -> None:
    source = (
        f"dump {manifest.name}" if manifest else "what an interrupted rebuild left" if unfinished else "objects alone"
    )
    reason = f"it was rebuilt from {source}"

    def unit(connection: sa.Connection) -> Epoch:
        epochs.lock(connection)
        now = catalog_now(connection)
        epochs.set_trust(connection, epochs.RESTORED, by=actor, reason=reason, now=now, event="rebuilt")
        return epochs.standing(connection).epoch

    epoch.write_twin(engine, engine.catalog.run(unit))


@contextmanager
def _fetched(engine: Engine, store: Store, manifest: Manifest, location: str, sha256: str) -> Iterator[BinaryIO]:
    """A file of a dump on this machine's disk; DumpUnusable where it is not what the manifest says."""
    with SpooledTemporaryFile(max_size=engine.settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        digest = hashlib.sha256()
        with store.open(ObjectKey(location)) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                spool.write(chunk)
        if digest.hexdigest() != sha256:
            raise DumpUnusable(name=manifest.name, problem=f"the bytes of {location} are not those it was made with")
        yield cast("BinaryIO", spool)


def _unpacked(file: BinaryIO) -> gzip.GzipFile:
    file.seek(0)  # a transaction may be run again
    return gzip.GzipFile(fileobj=file, mode="rb")
