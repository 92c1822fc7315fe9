"""Dump the catalog into the coldest tier, so that it can be rebuilt from there.

All tables are copied at one moment, by COPY in one snapshot, to files on this machine's disk; then, with no transaction
open, to the store. The events since the last dump go into a segment of their own. What was written is read back; only
then does the object follow by which the dump counts, and last the one by which later dumps take its segment for theirs
(:mod:`tierkeeper.engine.recovery.dump_files`). A dump that was interrupted, or is not what was written, has neither.
Once the new dump counts, the oldest ones beyond ``dumps.keep`` are deleted; not by a catalog that is not trusted (it
may be older than they are), nor while deletes are switched off, nor while another dump is made, which may be one of
those that look interrupted.
"""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast
from uuid import UUID, uuid4

from tierkeeper.base.callers import Caller
from tierkeeper.base.content import StoredForm
from tierkeeper.base.errors import DumpMissing
from tierkeeper.base.states import RunKind, Vouched
from tierkeeper.catalog import dumps, epochs, refusals, runs, switches
from tierkeeper.catalog.dumps import Snapshot
from tierkeeper.catalog.events import Horizon
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import opener
from tierkeeper.engine.recovery import dump_files
from tierkeeper.engine.recovery.dump_files import GZIP, DumpView, EventSegment, Manifest, Part
from tierkeeper.engine.run_life import Job
from tierkeeper.engine.trust import epoch, own_objects, places
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import deletes
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, StoreError, ThawNeeded
from tierkeeper.stores.refusals import refusal
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.refusals import Reason
from tierkeeper.values.runs import SweepResult
from tierkeeper_client.digest import Digest

#: writes an object: its location, content, time, mark and type
_Put = Callable[[str, BinaryIO, datetime, UUID, str], None]
_JSON = "application/json"
_LEVEL = 6  # of gzip
#: under which a refusal to delete older dumps is kept, apart from one of the dump itself
PRUNING: Final = "pruning of dumps"


@dataclass(frozen=True, slots=True)
class _File:
    """A table, or a segment of events, on this machine's disk."""

    table: str
    content: BinaryIO
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Written:
    """An object of the dump: its location and SHA-256, and whether its bytes were vouched for on writing."""

    location: str
    sha256: str
    vouched: bool


def dump(engine: Engine, *, caller: Caller, progress: ProgressCallback | None = None) -> SweepResult:
    """Make one dump and read it back; DumpMissing where no tier can keep it, ContentMismatch where it is wrong."""
    store = dumps_home(engine)
    note = partial(_note, engine, store, caller=caller)
    with run_life.running(engine, RunKind.DUMP, caller=caller) as work:
        with _noting(note, RunKind.DUMP.value):
            distrusted = epoch.advance(engine, caller=caller)
            newest = _dump(engine, store, work, progress=progress)
        note(RunKind.DUMP.value, None)
        if distrusted is None and not _deletes_off(engine) and not _others(engine, work):
            with _noting(note, PRUNING):
                pruned, refused = _prune(engine, store, newest)
            note(PRUNING, refused)
            work.add({"older dumps deleted": pruned})
    return work.result()


def _note(engine: Engine, store: Store, act: str, refused: Reason | None, *, caller: Caller) -> None:
    """Keep what the store refused to an act, or forget it, which only that act's success may do."""
    engine.catalog.run(caller, refusals.note_sweep, store.config.tier, act, refused)


@contextmanager
def _noting(note: Callable[[str, Reason], None], act: str) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        if (reason := refusal(error)) is not None:
            note(act, reason)
        raise


def _dump(engine: Engine, store: Store, work: Job, *, progress: ProgressCallback | None) -> str:
    """Make one dump and read it back; return its name."""
    written: list[_Written] = []
    put = partial(_put, store, written)
    manifest, size = _write(engine, put, progress=work.moved(progress))
    _verify(store, manifest, written, heard=work.heard)
    engine.marks.confirm(store)
    _complete(store, manifest, put, written, heard=work.heard)
    counts = {
        "tables": len(manifest.parts),
        "rows": sum(part.rows for part in manifest.parts),
        "segments of events": len(manifest.events),
    }
    work.add(counts, size=size)
    return manifest.name


def listed(engine: Engine) -> list[DumpView]:
    """Return the dumps, newest first, including those of the lost catalog that an empty catalog is to replace."""
    store = dumps_home(engine)
    with engine.marks.assuming(places.found_marks(engine, only=store.config.tier)):
        return dump_files.listed(store)


def dumps_home(engine: Engine) -> Store:
    """Return the store that keeps the dumps; DumpMissing where every tier is a database."""
    store = own_objects.home(engine)
    if store is None:
        raise DumpMissing(tier=engine.tiers[-1].name, named=" (a database tier holds records only)")
    return store


def _write(engine: Engine, put: _Put, *, progress: ProgressCallback) -> tuple[Manifest, int]:
    with ExitStack() as stack:
        with engine.catalog.reading() as connection:
            line = epochs.line(connection)
        found = dump_files.segments(dumps_home(engine), line)
        with dumps.snapshot(engine.catalog) as snapshot:
            at, horizon = snapshot.at, snapshot.horizon
            earlier = dump_files.chain(found, horizon)
            start = dump_files.end_of(earlier)
            tables = [stack.enter_context(_copied(engine.settings, snapshot, table)) for table in dumps.tables()]
            events = stack.enter_context(_copied(engine.settings, snapshot, dumps.EVENTS, start=start))
            noted = epochs.standing(snapshot.connection).epoch
            revision = snapshot.revision
        segment = _put_segment(put, line, events, start=start, horizon=horizon, at=at)
        name = dump_files.named(at, noted.number, uuid4())
        parts = []
        for file in tables:
            parts.append(_put_table(put, name, file, at=at))
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
        _put_manifest(put, manifest, dump_files.sealed(manifest.as_json()))
        return manifest, sum(file.size for file in [*tables, events])


def _complete(
    store: Store, manifest: Manifest, put: _Put, written: Sequence[_Written], *, heard: Callable[[], None]
) -> None:
    """Let a dump that was read back count, and then its segment in the chains of later dumps."""
    _put_manifest(put, manifest, dump_files.MANIFEST)
    _verify(store, manifest, written[-1:], heard=heard)
    location = dump_files.read_back_located(manifest.events[-1].location)
    put(location, io.BytesIO(manifest.name.encode()), manifest.taken_at, uuid4(), "text/plain")


@contextmanager
def _copied(settings: Settings, snapshot: Snapshot, table: str, *, start: int | None = None) -> Iterator[_File]:
    with SpooledTemporaryFile(max_size=settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        content = _Hashed(cast("BinaryIO", spool))
        with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            rows = snapshot.copy(table, packed) if start is None else snapshot.copy_events(start, packed)
        yield _File(table, content.file, rows, content.file.tell(), content.digest.sha256.hex())


class _Hashed:
    """A file that is hashed while it is written: the snapshot does not wait for a second pass."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = Digest()

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self.digest.add(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Write out."""
        self.file.flush()


def _put(
    store: Store, written: list[_Written], location: str, content: BinaryIO, made: datetime, mark: UUID, type_: str
) -> None:
    stored, sha256 = own_objects.put(store, location, content, made=made, mark=mark, content_type=type_)
    written.append(_Written(location, sha256.hex(), stored.vouched is Vouched.WRITTEN))


def _put_table(put: _Put, name: str, file: _File, *, at: datetime) -> Part:
    location = dump_files.located(name, f"{file.table}.copy.gz")
    put(location, file.content, at, uuid4(), GZIP)
    return Part(file.table, tuple(dumps.columns(file.table)), location, file.rows, file.size, file.sha256)


def _put_manifest(put: _Put, manifest: Manifest, file: str) -> None:
    location = dump_files.located(manifest.name, file)
    put(location, io.BytesIO(manifest.as_json()), manifest.taken_at, uuid4(), _JSON)


def _put_segment(put: _Put, line: UUID, file: _File, *, start: int, horizon: Horizon, at: datetime) -> EventSegment:
    mark = uuid4()
    segment = EventSegment("", file.rows, file.sha256, horizon.cluster, start, horizon.xid, file.size)
    segment = replace(segment, location=dump_files.segment_located(line, segment, mark))
    put(segment.location, file.content, at, mark, GZIP)
    return segment


def _verify(store: Store, manifest: Manifest, written: Sequence[_Written], *, heard: Callable[[], None]) -> None:
    """Read back objects of the dump; ContentMismatch where the bytes differ.

    Objects in a class that must be thawed are compared by the store's checksum; without one, their bytes must have been
    vouched for on writing.
    """
    copied = {part.location: part.sha256 for part in manifest.parts}
    copied |= {segment.location: segment.sha256 for segment in manifest.events[-1:]}
    for each in written:
        heard()
        sha256 = copied.get(each.location, each.sha256)  # of what left the catalog, rather than of what was sent
        try:
            found = opener.read(store, StoredForm(each.location)).sha256.hex()
        except ThawNeeded:
            checksum = store.head(ObjectKey(each.location)).sha256
            if checksum is None and not each.vouched:
                reason = "nobody vouches for them, and they cannot be read before they are thawed; older dumps stay"
                raise ContentMismatch(tier=store.config.tier, location=each.location, reason=reason) from None
            found = sha256 if checksum is None else checksum.hex()
        if found != sha256:
            reason = f"their SHA-256 is {found}, not {sha256}"
            raise ContentMismatch(tier=store.config.tier, location=each.location, reason=reason)


def _deletes_off(engine: Engine) -> bool:
    with engine.catalog.reading() as connection:
        return switches.deletes_refused(connection) is not None


def _others(engine: Engine, work: Job) -> bool:
    with engine.catalog.reading() as connection:
        return runs.others(connection, RunKind.DUMP, than=work.run)


def _prune(engine: Engine, store: Store, newest: str) -> tuple[int, Reason | None]:
    """Delete dumps older than the last ``dumps.keep`` complete ones, interrupted ones too.

    Return how many there were, and why objects of them stay, None if none does.
    """
    views = dump_files.listed(store)
    made = views.index(dump_files.chosen(views, store.config.tier, newest))  # those before it were made meanwhile
    last = [at for at, view in enumerate(views) if view.complete and at >= made][: engine.settings.dumps.keep][-1]
    old: Sequence[str] = [view.name for view in views[last + 1 :]]
    refused: Reason | None = None
    for name in old:
        refused = _delete(store, dump_files.files_of(store, name)) or refused
    return len(old), refused


def _delete(store: Store, keys: Sequence[ObjectKey]) -> Reason | None:
    """Delete the files of a dump, the first one before the others; return why some stay, None if none does."""
    refused = deletes.first_refusal(store.delete(keys[:1]))
    if refused is not None:
        return refused  # a dump whose manifest stays counts, and keeps all its files
    for start in range(1, len(keys), store.delete_batch):
        refused = deletes.first_refusal(store.delete(keys[start : start + store.delete_batch])) or refused
    return refused
