"""Make a rebuilt or restored catalog agree with what the stores have.

Every tier is compared as reconcile does (:mod:`tierkeeper.engine.reconcile.comparison`). Objects without a placement
are adopted first, in all tiers (:mod:`tierkeeper.engine.recovery.adopt`); then copies that are missing or have another
size are reported, so that converge replaces them. In this order a copy that was moved meanwhile is found at its new
place before it is missed at its old one. Nothing is deleted. It can be repeated, after a crash or because it took long.
"""

import gzip
import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, TextIO, cast
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.placements import BytesLeftOver
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import placements
from tierkeeper.catalog.rebuilding import InterruptedIntent
from tierkeeper.engine.context import Engine
from tierkeeper.engine.reconcile import repair
from tierkeeper.engine.reconcile.comparison import Comparison
from tierkeeper.engine.reconcile.id_set import IdSet
from tierkeeper.engine.recovery import adopt, dump
from tierkeeper.engine.recovery.adopt import Adopted, Object
from tierkeeper.engine.recovery.dump_files import Manifest, Part
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.values.findings import Finding, FindingKind, ReconcileLimits
from tierkeeper.values.progress import ProgressCallback

_BATCH = 200
_LISTED = 1000
_SIDES = {1: "only in the dump", 2: "only in the stores", 3: "in the dump and in the stores"}


def take_stock(
    engine: Engine,
    *,
    caller: Caller,
    run: UUID | None,
    dry_run: bool = False,
    intents: Sequence[InterruptedIntent] = (),
    found: Callable[[Adopted], None] | None = None,
    progress: ProgressCallback | None = None,
) -> Counter[str]:
    """Compare every tier, adopt and repair; return the counts. StoreTransient where a tier does not answer.

    ``intents``: those that were dropped from the catalog. Where the bytes of one were not adopted, an event records
    that the catalog knew it, so that bytes which still arrive are an orphan and not a stranger.
    """
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        comparisons = []
        strangers = stack.enter_context(tempfile.TemporaryFile("w+", prefix="tierkeeper-"))
        for tier in engine.tiers:
            comparison = _comparison(engine, tier.name, strangers, counts, caller=caller, progress=progress)
            stack.callback(comparison.close)
            away = comparison.take().away
            if away is not None:
                raise StoreTransient(tier=tier.name, reason=away)
            comparisons.append(comparison)
        objects = _read(strangers)
        while batch := list(islice(objects, _BATCH)):
            done = adopt.adopt(engine, batch, caller=caller, run=run, dry_run=dry_run)
            counts += adopt.counted(done)
            if found is not None:
                for each in done:
                    found(each)
            if progress is not None:
                progress(len(batch))
        if intents:
            engine.catalog.run(caller, _leave_over, intents=intents, caller=caller, run=run)
        for comparison in () if dry_run else comparisons:
            counts += repair.repair(engine, comparison, caller=caller)
    return +counts


def _leave_over(
    connection: sa.Connection, *, intents: Sequence[InterruptedIntent], caller: Caller, run: UUID | None
) -> None:
    adopted = {row.id for row in placements.load(connection, [intent.id for intent in intents])}
    unwritten = [Object(i.tier, i.location, None, 0) for i in intents if i.id not in adopted]
    adopt.note(connection, objects=unwritten, event=BytesLeftOver, caller=caller, run=run)


def preview(engine: Engine, manifest: Manifest | None, *, progress: ProgressCallback | None = None) -> Counter[str]:
    """Compare the copies in a dump with the stores' listings, by placement id alone; change nothing."""
    counts: Counter[str] = Counter()
    with IdSet() as dumped, IdSet() as listed:
        for part in manifest.parts if manifest else ():
            if part.table == "placements":
                for id_ in _dumped(engine, part):
                    dumped.add([id_])
        for tier in engine.tiers:
            listing = engine.store(tier.name).list()
            while chunk := list(islice(listing, _LISTED)):
                ids = [layout.placement_of(each.location) for each in chunk if not own_objects.is_own(each.location)]
                listed.add(each for each in ids if each is not None)
                counts["foreign"] += ids.count(None)
                if progress is not None:
                    progress(len(chunk))
            engine.marks.confirm(engine.store(tier.name))
        both = heapq.merge(((each, 1) for each in dumped.ordered()), ((each, 2) for each in listed.ordered()))
        for _, sides in groupby(both, key=lambda pair: pair[0]):
            counts[_SIDES[sum({side for _, side in sides})]] += 1
    return +counts


def _dumped(engine: Engine, part: Part) -> Iterator[UUID]:
    """Yield the ids of the copies that are present or doomed in a dump."""
    place, state = part.columns.index("id"), part.columns.index("state")
    with SpooledTemporaryFile(max_size=engine.settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        with dump.dumps_home(engine).open(ObjectKey(part.location)) as chunks:
            for chunk in chunks:
                spool.write(chunk)
        spool.seek(0)
        with gzip.GzipFile(fileobj=cast("BinaryIO", spool), mode="rb") as lines:
            for line in lines:
                fields = line.split(b"\t")
                if fields[state] in {b"present", b"doomed"}:
                    yield UUID(fields[place].decode())


def _comparison(
    engine: Engine,
    tier: str,
    strangers: TextIO,
    counts: Counter[str],
    *,
    caller: Caller,
    progress: ProgressCallback | None,
) -> Comparison:
    def note(finding: Finding) -> None:
        if finding.kind in {FindingKind.ORPHAN, FindingKind.STRANGER}:
            strangers.write(json.dumps([finding.tier, finding.location, finding.version, finding.size]) + "\n")
        else:
            counts[finding.kind.value] += 1

    settings = engine.settings.reconcile
    limits = ReconcileLimits(settings.quarantine, settings.stop_share, settings.stop_floor)
    return Comparison(
        engine, tier, caller=caller, limits=limits, record=False, found=note, progress=progress or _silent
    )


def _read(strangers: TextIO) -> Iterator[Object]:
    strangers.seek(0)
    for line in strangers:
        yield Object(*json.loads(line))


def _silent(_done: int) -> None:
    """Show no progress."""
