"""Copy bytes into new placements so that they are vouched for, and renew leases meanwhile.

A store that copies on the server side often cannot say that the bytes are right. A copy that it made from a vouched
source, named by its pin, is as good as that source. Every other upload that is not vouched for is read back whole
before its commit (R17); into a storage class that has to be thawed before a read, the bytes are streamed instead.
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Lock
from typing import BinaryIO, TypeVar, cast
from uuid import UUID

from tierkeeper.base import log
from tierkeeper.base.content import Content, StoredForm
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.metrics import COPIES_FAILED
from tierkeeper.base.states import Vouched
from tierkeeper.catalog.placements import VouchedUpload
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, opener, streams
from tierkeeper.stores import progress
from tierkeeper.stores.base import ObjectInfo, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound
from tierkeeper.stores.gate import fault

_log = log.get(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed ``copying`` row, and the copies that its bytes can come from, best first."""

    placement: UUID
    blob: UUID
    tier: str
    location: str
    info: ObjectInfo
    sources: tuple[PlacementRow, ...]


@dataclass(frozen=True, slots=True)
class Transferred:
    """The result of an intent: an upload or an error; and the sources whose bytes were missing or wrong."""

    intent: Intent
    upload: VouchedUpload | None
    error: TierkeeperError | None
    bad_sources: tuple[tuple[PlacementRow, check.Wrong], ...] = ()  # with what is wrong with each


class Renewal:
    """Calls ``renew`` on progress, once per ``every`` seconds at most, for up to ``cap`` seconds per item or part."""

    def __init__(self, renew: Callable[[], None], *, every: float, cap: float) -> None:
        self.every = every
        self._renew, self._cap = renew, cap
        self._last = time.monotonic()
        self._end = self._last + cap
        self._silent, self._lock = 0, Lock()

    def progressed(self) -> None:
        """Report progress within an item."""
        now = time.monotonic()
        if now - self._last >= self.every and now < self._end:
            self._last = now
            self._renew()

    def item_done(self) -> None:
        """Report the end of an item, or of a part that a server copies; the next one gets the full cap again."""
        self._end = time.monotonic() + self._cap
        self.progressed()

    def waited(self) -> None:
        """Report that time has passed: renew for server-side copies, which cannot report progress."""
        if self._silent:
            self.progressed()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Mark the block as a server-side copy, which reports nothing until it or a part of it is done."""
        with self._lock:
            self._silent += 1
        try:
            yield
        finally:
            with self._lock:
                self._silent -= 1


def transfer_all(engine: Engine, intents: Sequence[Intent], renewal: Renewal) -> list[Transferred]:
    """Carry out the intents in parallel; an error of one does not affect the others."""
    return in_threads(engine.threads, lambda intent: transfer(engine, intent, renewal), intents, renewal)


def in_threads(threads: ThreadPoolExecutor, call: Callable[[T], R], items: Sequence[T], renewal: Renewal) -> list[R]:
    """Make one call per item in parallel, renewing leases meanwhile; return the results in the order of completion.

    What a call or the renewal raises comes once no call is at work any more.
    """
    finished: SimpleQueue[Future[R]] = SimpleQueue()
    futures = [threads.submit(call, item) for item in items]
    for future in futures:
        future.add_done_callback(finished.put)
    done: list[R] = []
    try:
        while len(done) < len(items):
            try:
                done.append(finished.get(timeout=renewal.every).result())
            except Empty:
                renewal.waited()
            else:
                renewal.item_done()
    finally:
        wait(futures)
    return done


def transfer(engine: Engine, intent: Intent, renewal: Renewal) -> Transferred:
    """Copy from the first source that can be copied; the result names sources that were missing or wrong."""
    bad: list[tuple[PlacementRow, check.Wrong]] = []
    error: TierkeeperError | None = None
    for source in intent.sources:
        try:
            stored = _copy(engine, source, intent, renewal)
            upload = uploaded(engine, intent, stored, source=source, progressed=renewal.progressed)
            return Transferred(intent, upload, None, tuple(bad))
        except (ObjectNotFound, ContentMismatch) as problem:
            error = problem
            wrong = _wrong(engine, source, intent.info.content, renewal)
            if wrong is not None:
                bad.append((source, wrong))
        except TierkeeperError as problem:
            error = problem
        except Exception as problem:  # noqa: BLE001  one bad item never stops its batch
            error = fault(intent.tier, problem)
    return Transferred(intent, None, error, tuple(bad))


def believed(engine: Engine, done: Sequence[Transferred]) -> list[Transferred]:
    """Return the results, with an error in place of each upload whose place is not now the tier's own (R19)."""
    refused = engine.refused(result.intent.tier for result in done if result.upload is not None)
    return [
        replace(result, upload=None, error=refused[result.intent.tier])
        if result.upload is not None and result.intent.tier in refused
        else result
        for result in done
    ]


def alarm(done: Sequence[Transferred]) -> None:
    """Log and count the failures: one line per tier and error code, however many copies it hit."""
    failed: dict[tuple[str, str], list[TierkeeperError]] = {}
    for result in done:
        if result.error is not None:
            tier = str(result.error.data.get("tier", result.intent.tier))
            failed.setdefault((tier, result.error.code), []).append(result.error)
    for (tier, code), errors in failed.items():
        COPIES_FAILED.labels(tier=tier, error=code).inc(len(errors))
        _log.error("a tier failed", tier=tier, error=code, copies=len(errors), message=str(errors[0]))


def uploaded(
    engine: Engine,
    intent: Intent,
    stored: Stored,
    *,
    source: PlacementRow | None = None,
    progressed: Callable[[], None] = lambda: None,
) -> VouchedUpload:
    """Return what was stored as an upload to commit, read back if not vouched for; ``source``: copied from there (R6).

    Raises ContentMismatch if the store has other bytes, and what the store raises where it cannot be read now.
    """
    wanted = _written(intent, source)
    if wanted.difference(size=stored.size, sha256=stored.sha256):
        raise ContentMismatch(
            tier=intent.tier, location=intent.location, reason=f"{stored.size} bytes instead of {wanted.size}"
        )
    vouched, pin = _vouched(stored, source), stored.pin
    if vouched is None:
        form = StoredForm(intent.location, stored.version, stored.pin)
        read = opener.read(engine.store(intent.tier), form, progressed=progressed)
        if reason := wanted.difference(sha256=read.sha256):
            raise ContentMismatch(tier=intent.tier, location=intent.location, reason=reason)
        vouched, pin = Vouched.READ, stored.pin or stored.version or read.pin
    return VouchedUpload(
        placement=intent.placement,
        blob=intent.blob,
        tier=intent.tier,
        size=stored.size,
        sha256=wanted.sha256,
        version=stored.version,
        checksum=None if stored.sha256 is None else f"sha256:{stored.sha256.hex()}",
        vouched=vouched,
        pin=pin,
        source=source,
    )


def _written(intent: Intent, source: PlacementRow | None) -> Content:
    """Return the SHA-256 and size that the stored bytes should have: its source's, whose stored form it keeps (R6)."""
    if source is None:
        return intent.info.content
    return opener.expected(source.form, intent.info.content, tier=source.tier)


def _vouched(stored: Stored, source: PlacementRow | None) -> Vouched | None:
    """Return how the upload is vouched for, if at all; a server-side copy is no better than its source (R17)."""
    if stored.vouched is Vouched.PINNED and not _is_pinned(source):
        return None
    if stored.vouched is Vouched.SERVER and stored.sha256 is None:
        return None
    return stored.vouched


def _is_pinned(source: PlacementRow | None) -> bool:
    return source is not None and source.vouched is not None and source.pin is not None


def _copies_itself(origin: Store, target: Store, source: PlacementRow) -> bool:
    """Return True if the server can copy. What would be thawed to read it back needs a vouched and pinned source."""
    return origin.realm == target.realm and source.form.whole and (_is_pinned(source) or not target.must_thaw)


def _copy(engine: Engine, source: PlacementRow, intent: Intent, renewal: Renewal) -> Stored:
    origin, target = engine.store(source.tier), engine.store(intent.tier)
    if _copies_itself(origin, target, source):
        with renewal.silent(), progress.reporting_to(renewal.item_done):
            return target.copy(origin, opener.key_of(source.form), intent.location, intent.info)
    with opener.open_stored(origin, source.form) as chunks:
        stream: io.RawIOBase | io.BytesIO = streams.Chunks(chunks, progressed=renewal.progressed)
        if intent.info.size <= engine.settings.engine.spool_limit:
            stream = io.BytesIO(stream.read(-1) or b"")  # small: a store can send it again when an attempt fails
        return target.put(intent.location, cast("BinaryIO", stream), intent.info)


def _wrong(engine: Engine, source: PlacementRow, content: Content, renewal: Renewal) -> check.Wrong | None:
    """Check a source after a failed copy; None unless it is wrong: the target may have failed, or a store briefly.

    The check lies between two readings of the tier's mark, of which ``damage.report`` makes the second (R19).
    """
    if engine.refused([source.tier]):
        return None
    try:
        result = check.confirmed(engine, source, content, progressed=renewal.progressed)
    except TierkeeperError:
        return None
    except Exception as problem:  # noqa: BLE001  as above
        fault(source.tier, problem)
        return None
    return result if isinstance(result, check.Wrong) else None
