"""Dump the catalog into the coldest tier, so that it can be rebuilt from there.

All tables at one moment, by COPY in one snapshot, into files on this machine's disk; then, with no transaction open,
into the store; the manifest last. A dump that was interrupted has no manifest and does not count. The events since the
last dump go into a segment of their own. When the new dump was read back and is right, the oldest ones go, until as
many as the settings say are left; not from a catalog that is not trusted (it may be an older one than they are), nor
while deletes are switched off.
"""

import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from uuid import UUID, uuid4

from tierkeeper.base.errors import DumpMissing
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.base.values import SweepResult
from tierkeeper.catalog import dumps, epochs, runs, switches
from tierkeeper.catalog.dumps import Snapshot
from tierkeeper.engine import checking, dumpfiles, epoch, marking, reserved
from tierkeeper.engine.context import Engine
from tierkeeper.engine.dumpfiles import GZIP, DumpView, Manifest, Part, Segment
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ThawNeeded

Progress = Callable[[int], None]
_LEVEL = 6  # of gzip


@dataclass(frozen=True, slots=True)
class _File:
    """A table, or a segment of events, on this machine's disk."""

    table: str
    content: BinaryIO
    rows: int
    size: int
    sha256: str


def dump(engine: Engine, *, actor: str, progress: Progress | None = None) -> SweepResult:
    """Make one dump and check it; raises DumpMissing where there is no tier to keep it in."""
    store = home(engine)
    run = engine.catalog.run(lambda c: runs.begin(c, RunKind.DUMP, actor=actor))
    try:
        distrusted = epoch.advance(engine, actor=actor)
        manifest, size = _write(engine, store, progress=progress or _silent)
        _verify(store, manifest)
        engine.marks.confirm(store)
        pruned = 0 if distrusted else _prune(engine, store, manifest.name)
    except BaseException:
        engine.catalog.run(lambda c: runs.finish(c, run, RunState.FAILED))
        raise
    counts = Counter(
        {
            "tables": len(manifest.parts),
            "rows": sum(part.rows for part in manifest.parts),
            "segments of events": len(manifest.events),
            "older dumps deleted": pruned,
        }
    )
    engine.catalog.run(partial(runs.add, run=run, counts=+counts, size=size))
    engine.catalog.run(lambda c: runs.finish(c, run))
    return SweepResult(dict(+counts), size, 0, more=False)


def listed(engine: Engine) -> list[DumpView]:
    """Return the dumps there are, newest first: also those of the lost catalog that an empty one is to take over."""
    with engine.marks.assuming(marking.found(engine)):
        return dumpfiles.listed(home(engine))


def home(engine: Engine) -> Store:
    """Return the store that has the dumps; DumpMissing where there is none for them."""
    store = reserved.home(engine)
    if store is None:
        raise DumpMissing(tier=engine.tiers[-1].name, named=" (a database tier holds records only)")
    return store


def _write(engine: Engine, store: Store, *, progress: Progress) -> tuple[Manifest, int]:
    with ExitStack() as stack:
        with engine.catalog.reading() as connection:
            line = epochs.standing(connection).epoch.line or UUID(int=0)
        earlier = dumpfiles.chain(store, line)
        since = dumpfiles.next_start(earlier)
        with dumps.snapshot(engine.catalog) as snapshot:
            at = snapshot.at
            tables = [stack.enter_context(_copied(engine, snapshot, table)) for table in dumps.tables()]
            events = stack.enter_context(_copied(engine, snapshot, dumps.EVENTS, since=since))
            noted = epochs.standing(snapshot.connection).epoch
            revision = snapshot.revision
        segment = _put_segment(store, line, events, since=since, until=at)
        name = dumpfiles.named(at, uuid4())
        parts = []
        for file in tables:
            parts.append(_put_table(store, name, file, at=at))
            progress(file.rows)
        manifest = Manifest(
            name=name,
            taken_at=at,
            revision=revision,
            epoch=noted.number,
            line=str(line),
            parts=tuple(parts),
            event_columns=tuple(dumps.columns(dumps.EVENTS)),
            events=(*earlier, segment),
        )
        content = io.BytesIO(manifest.as_json())
        location = dumpfiles.located(name, dumpfiles.MANIFEST)
        reserved.put(store, location, content, made=at, mark=uuid4(), content_type="application/json")
        return manifest, sum(file.size for file in [*tables, events])


@contextmanager
def _copied(engine: Engine, snapshot: Snapshot, table: str, *, since: datetime | None = None) -> Iterator[_File]:
    with SpooledTemporaryFile(max_size=engine.settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        content = _Hashed(cast("BinaryIO", spool))
        with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            rows = snapshot.copy(table, packed) if since is None else snapshot.copy_events(since, packed)
        yield _File(table, content.file, rows, content.file.tell(), content.digest.hexdigest())


class _Hashed:
    """A file that is hashed while it is written: the snapshot does not wait for a second pass."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Write out."""
        self.file.flush()


def _put_table(store: Store, name: str, file: _File, *, at: datetime) -> Part:
    location = dumpfiles.located(name, f"{file.table}.copy.gz")
    reserved.put(store, location, file.content, made=at, mark=uuid4(), content_type=GZIP)
    return Part(file.table, tuple(dumps.columns(file.table)), location, file.rows, file.size, file.sha256)


def _put_segment(store: Store, line: UUID, file: _File, *, since: datetime, until: datetime) -> Segment:
    mark = uuid4()
    segment = Segment("", since, until, file.rows, file.sha256)
    segment = replace(segment, location=dumpfiles.segment_located(line, segment, mark))
    reserved.put(store, segment.location, file.content, made=until, mark=mark, content_type=GZIP)
    return segment


def _verify(store: Store, manifest: Manifest) -> None:
    """Read back what was written; ContentMismatch where it is not that. Frozen classes are asked for their checksum."""
    written = [(part.location, part.sha256) for part in manifest.parts]
    for location, sha256 in [*written, *((s.location, s.sha256) for s in manifest.events[-1:])]:
        try:
            found = checking.sha256_of(store, ObjectKey(location)).hex()
        except ThawNeeded:
            told = store.head(ObjectKey(location)).sha256
            found = sha256 if told is None else told.hex()  # what came in parts was checked part by part
        if found != sha256:
            reason = f"their SHA-256 is {found}, not {sha256}"
            raise ContentMismatch(tier=store.config.tier, location=location, reason=reason)


def _prune(engine: Engine, store: Store, newest: str) -> int:
    """Delete the dumps before the last so many complete ones, interrupted ones with them; return how many went."""
    with engine.catalog.reading() as connection:
        if switches.deletes_refused(connection) is not None:
            return 0
    found = dumpfiles.listed(store)
    kept = [d.name for d in found if d.complete and d.name <= newest][: engine.settings.dumps.keep]
    old: Sequence[str] = [d.name for d in found if d.name < min(kept)]
    for name in old:
        keys = dumpfiles.files_of(store, name)
        for start in range(0, len(keys), store.delete_batch):
            store.delete(keys[start : start + store.delete_batch])
    return len(old)


def _silent(_done: int) -> None:
    """Show no progress."""
