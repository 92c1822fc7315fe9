"""Reading an artifact: the hottest present copy first, the next on error, verified while streaming."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tierkeeper.base import callers
from tierkeeper.base import log as logs
from tierkeeper.base.errors import (
    ArtifactDeleted,
    ArtifactNotFound,
    ArtifactPurged,
    ContentCorrupt,
    ContentLost,
    NoReadableCopy,
    TierkeeperError,
)
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.base.values import Ref
from tierkeeper.catalog import artifacts, placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine import lost
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, opener, suspects
from tierkeeper.engine.copies.transfer import fault
from tierkeeper.policy.decision import when
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError, StoreTransient

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """An artifact being read from ``tier``. The last chunk is given only when all of them had the right hash."""

    row: ArtifactRow
    tier: str
    chunks: Iterator[bytes]


def find(engine: Engine, ref: Ref, *, deleted: bool = False) -> ArtifactRow:
    """Return the artifact; raises ArtifactNotFound, ArtifactPurged, and ArtifactDeleted unless asked for."""
    with engine.catalog.reading() as connection:
        row = artifacts.by_ref(connection, ref)
    if row is None:
        raise ArtifactNotFound(ref=ref)
    if row.state is ArtifactState.PURGED:
        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))
    if row.state is ArtifactState.DELETED and not deleted:
        raise ArtifactDeleted(ref=row.ref, until=when(row.purge_at))
    return row


@contextmanager
def opened(engine: Engine, row: ArtifactRow, *, offset: int = 0, length: int | None = None) -> Iterator[Reading]:
    """Open the artifact; a copy that can't be opened is passed over.

    A whole read is verified: ContentCorrupt is raised instead of the last chunk, and the copy is reported. A part of
    it (``offset``, ``length`` in bytes) can't be: it comes from copies that are vouched for only (R15).
    """
    whole = offset == 0 and (length is None or length >= row.size)
    reasons: list[str] = []
    for _ in range(2):  # a reader whose copies vanished reads the catalog again before it reports an error
        for copy in _copies(engine, row):
            if not whole and copy.vouched is None:
                reasons.append(f"{copy.tier}: nobody vouches for this copy, so it is read whole or not at all")
                continue
            stream = opener.content(engine.store(copy.tier), copy.form, offset=offset, length=length)
            try:
                chunks = stream.__enter__()
            except TierkeeperError as error:
                reasons.append(_why(copy, error))
                if isinstance(error, (ObjectNotFound, ContentMismatch)):
                    _report_if_still_wrong(engine, row, copy)
                continue
            except Exception as error:  # noqa: BLE001  another copy may answer
                reasons.append(_why(copy, fault(copy.tier, error)))
                continue
            try:
                pieces = _told(engine, row, copy, chunks)
                yield Reading(row, copy.tier, _verified(engine, row, copy, pieces) if whole else pieces)
            finally:
                stream.__exit__(None, None, None)
            return
    raise unreadable(engine, row, reasons)


def fetch(engine: Engine, row: ArtifactRow, target: Path, *, progress: Callable[[int], None] | None = None) -> None:
    """Write the artifact to a file, whole and verified or not at all; a bad copy is followed by the next."""
    bad: ContentCorrupt | StoreError | None = None
    for _ in engine.tiers:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file, opened(engine, row) as reading:
                for chunk in reading.chunks:
                    file.write(chunk)
                    if progress is not None:
                        progress(len(chunk))
            Path(name).replace(target)
        except (ContentCorrupt, StoreError) as error:
            Path(name).unlink()
            bad = error
        except BaseException:
            Path(name).unlink()
            raise
        else:
            return
    raise unreadable(engine, row, [str(bad).rstrip(".")])


def unreadable(engine: Engine, row: ArtifactRow, reasons: Iterable[str]) -> NoReadableCopy:
    """Return the error that says why no copy could be read: what was tried, and what of the others is known."""
    copies = _all_copies(engine, row)
    known = [copy for copy in copies if copy.suspect or not _may_be_read(engine, copy)]
    told = [*reasons, *(_known(engine, copy) for copy in known)]
    kind = ContentLost if lost.is_lost(copies, engine.stores) and not _away(engine, copies) else NoReadableCopy
    return kind(ref=row.ref, reasons="; ".join(dict.fromkeys(told)) or "there is none")


def unasked(engine: Engine, row: ArtifactRow) -> bool:
    """Whether a copy lies in a tier that is not configured here, so that nobody can say that the content is lost."""
    return any(copy.kept and copy.tier not in engine.stores for copy in _all_copies(engine, row))


def _copies(engine: Engine, row: ArtifactRow) -> list[PlacementRow]:
    rank = {tier.name: tier.rank for tier in engine.tiers}
    readable = [copy for copy in _all_copies(engine, row) if _may_be_read(engine, copy)]
    return sorted(readable, key=lambda p: (p.suspect, p.state is not PlacementState.PRESENT, rank[p.tier]))


def _all_copies(engine: Engine, row: ArtifactRow) -> list[PlacementRow]:
    if row.blob_id is None:
        return []
    with engine.catalog.reading() as connection:
        return placements.of_blobs(connection, [row.blob_id])[row.blob_id]


def _may_be_read(engine: Engine, copy: PlacementRow) -> bool:
    return copy.readable and copy.tier in engine.stores


def _away(engine: Engine, copies: Iterable[PlacementRow]) -> bool:
    """Whether a tier in which a copy should lie does not answer now, or is not ours: what lies there nobody can say."""
    stores = [engine.store(tier) for tier in sorted({copy.tier for copy in copies if copy.kept})]
    return bool(engine.marks.refused(stores, bound=True))


def _known(engine: Engine, copy: PlacementRow) -> str:
    """Return why a copy is not even tried, or is a suspect."""
    if copy.state is PlacementState.COPYING:
        return f"{copy.tier}: it is not written yet"
    if copy.state is PlacementState.DELETING:
        return f"{copy.tier}: it is being deleted"
    if copy.damaged_at is not None:
        return f"{copy.tier}: it was found damaged at {when(copy.damaged_at)}"
    if copy.missed_at is not None and copy.tier in engine.stores:
        again = copy.missed_at + engine.settings.reconcile.quarantine
        return f"{copy.tier}: it was not found at {when(copy.missed_at)}, and is looked for again after {when(again)}"
    return f"{copy.tier}: this tier is not configured"


def _why(copy: PlacementRow, error: Exception) -> str:
    return f"{copy.tier}: {error}".rstrip(".")  # it becomes a part of a sentence


def _report_if_still_wrong(engine: Engine, row: ArtifactRow, copy: PlacementRow) -> bool:
    """Report what another read finds wrong with the copy; return whether it found anything."""
    with engine.catalog.reading() as connection:
        current = placements.load(connection, [copy.id])
    if not current or not current[0].readable or (wrong := _still_wrong(engine, row, copy)) is None:
        return False
    damage.report(engine, copy, wrong, caller=callers.READER)
    return True


def _still_wrong(engine: Engine, row: ArtifactRow, copy: PlacementRow) -> check.Wrong | None:
    """Read a copy again by itself: a store may answer wrong once, and who is called damaged is not read any more.

    That is done between two readings of the tier's mark, of which ``damage.report`` makes the second (R19).
    """
    if engine.refused([copy.tier]):
        return None
    try:
        found = check.check(engine, copy, row.content)
    except Exception as error:  # noqa: BLE001  that says nothing of the bytes
        log.warning(
            "a copy that was read wrong can't be read again", tier=copy.tier, ref=str(row.ref), error=str(error)
        )
        return None
    return found if isinstance(found, check.Wrong) else None


def _told(engine: Engine, row: ArtifactRow, copy: PlacementRow, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Give the chunks; what a store tells of wrong bytes in between counts as what it tells on opening."""
    try:
        yield from chunks
    except (ObjectNotFound, ContentMismatch) as error:
        if _report_if_still_wrong(engine, row, copy):
            raise ContentCorrupt(ref=row.ref, tier=copy.tier) from error
        raise StoreTransient(tier=copy.tier, reason=str(error)) from error


def _verified(engine: Engine, row: ArtifactRow, copy: PlacementRow, chunks: Iterator[bytes]) -> Iterator[bytes]:
    def judge(sha256: bytes) -> None:
        if row.content.difference(sha256=sha256):
            wrong = _still_wrong(engine, row, copy)
            if wrong is None:
                raise StoreTransient(tier=copy.tier, reason=f"it sent other bytes of {row.ref} than it has")
            damage.report(engine, copy, wrong, caller=callers.READER)
            raise ContentCorrupt(ref=row.ref, tier=copy.tier)
        if copy.suspect:
            suspects.look_again(engine, [copy], caller=callers.READER)

    return opener.verified(chunks, judge)
