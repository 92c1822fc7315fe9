"""Read an artifact from its hottest present copy, or from the next one on error; verified while streaming."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tierkeeper.base import callers, log
from tierkeeper.base.errors import (
    ArtifactDeleted,
    ArtifactNotFound,
    ArtifactPurged,
    ContentCorrupt,
    TierkeeperError,
)
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import artifacts, placements
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, lost, opener, suspects
from tierkeeper.policy.decision import when
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError, StoreTransient
from tierkeeper.stores.gate import fault
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.progress import ProgressCallback
from tierkeeper_client import files

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class VerifiedRead:
    """An artifact being read from ``tier``; of a whole read, the last chunk comes only if the hash of all is right."""

    row: ArtifactRow
    tier: str
    chunks: Iterator[bytes]


def find(catalog: Database, ref: Ref, *, deleted: bool = False) -> ArtifactRow:
    """Return the artifact; raises ArtifactNotFound, ArtifactPurged, and ArtifactDeleted unless ``deleted``."""
    with catalog.reading() as connection:
        row = artifacts.by_ref(connection, ref)
    if row is None:
        raise ArtifactNotFound(ref=ref)
    if row.state is ArtifactState.PURGED:
        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))
    if row.state is ArtifactState.DELETED and not deleted:
        raise ArtifactDeleted(ref=row.ref, until=when(row.purge_at))
    return row


@contextmanager
def opened(engine: Engine, row: ArtifactRow, *, offset: int = 0, length: int | None = None) -> Iterator[VerifiedRead]:
    """Open the artifact from the first copy that can be opened.

    A whole read is verified: ContentCorrupt is raised instead of the last chunk, and the copy is reported. A partial
    read (``offset``, ``length`` in bytes) cannot be verified: it uses only copies that are vouched for (R15).
    """
    whole = offset == 0 and (length is None or length >= row.size)
    reasons: list[str] = []
    for _ in range(2):  # copies may move meanwhile: read the catalog once more before reporting an error
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
                pieces = _confirming_errors(engine, row, copy, chunks)
                yield VerifiedRead(row, copy.tier, _verified(engine, row, copy, pieces) if whole else pieces)
            finally:
                stream.__exit__(None, None, None)
            return
    raise lost.unreadable(engine, row, reasons)


def fetch(engine: Engine, row: ArtifactRow, target: Path, *, progress: ProgressCallback | None = None) -> None:
    """Write the artifact to ``target``, whole and verified or not at all; after a bad copy the next one is tried."""
    bad: ContentCorrupt | StoreError | None = None
    for _ in engine.tiers:
        try:
            with files.replacing(target, mode=0o600) as file, opened(engine, row) as reading:
                for chunk in reading.chunks:
                    file.write(chunk)
                    if progress is not None:
                        progress(len(chunk))
        except (ContentCorrupt, StoreError) as error:
            bad = error
        else:
            return
    raise lost.unreadable(engine, row, [str(bad).rstrip(".")])


def _copies(engine: Engine, row: ArtifactRow) -> list[PlacementRow]:
    rank = {tier.name: tier.rank for tier in engine.tiers}
    readable = [copy for copy in lost.copies_of(engine.catalog, row) if lost.may_be_read(engine.stores, copy)]
    return sorted(readable, key=lambda p: (p.suspect, p.state is not PlacementState.PRESENT, rank[p.tier]))


def _why(copy: PlacementRow, error: Exception) -> str:
    return f"{copy.tier}: {error}".rstrip(".")  # it is quoted inside a sentence


def _report_if_still_wrong(engine: Engine, row: ArtifactRow, copy: PlacementRow) -> bool:
    """Read the copy again and report what is wrong with it; return True if something is."""
    with engine.catalog.reading() as connection:
        current = placements.load(connection, [copy.id])
    if not current or not current[0].readable or (wrong := _still_wrong(engine, row, copy)) is None:
        return False
    damage.report(engine, copy, wrong, caller=callers.READER)
    return True


def _still_wrong(engine: Engine, row: ArtifactRow, copy: PlacementRow) -> check.Wrong | None:
    """Return what a second read finds wrong with the copy: a store may err once, and a damaged copy is read no more.

    It takes place between two reads of the tier's mark; ``damage.report`` makes the second (R19).
    """
    if engine.refused([copy.tier]):
        return None
    try:
        result = check.check(engine, copy, row.content)
    except Exception as error:  # noqa: BLE001  a failed read says nothing about the bytes
        _log.warning(
            "a copy that was read wrong can't be read again", tier=copy.tier, ref=str(row.ref), error=str(error)
        )
        return None
    return result if isinstance(result, check.Wrong) else None


def _confirming_errors(
    engine: Engine, row: ArtifactRow, copy: PlacementRow, chunks: Iterator[bytes]
) -> Iterator[bytes]:
    """Yield the chunks; missing or wrong bytes that the store reports midway are confirmed as those on opening are."""
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
