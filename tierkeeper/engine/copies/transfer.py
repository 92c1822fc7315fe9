"""Moving one artifact's bytes into a new placement, vouched for; renewing leases while that goes on.

A store that copies on its own side often cannot say that the bytes are right. What it copied from a copy that is
vouched for, and was named by its pin, is as good as that one. Everything else that nobody vouches for is read back
whole before its commit (R17); into a class that has to be thawed before it can be read, it is streamed instead.
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
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
from tierkeeper.catalog.placements import Upload
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, opener, streams
from tierkeeper.stores import progress
from tierkeeper.stores.base import ObjectInfo, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreDefect

_log = log.get(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Intent:
    """A ``copying`` row that was committed, and the copies its bytes can come from, best first."""

    placement: UUID
    blob: UUID
    tier: str
    location: str
    info: ObjectInfo
    sources: tuple[PlacementRow, ...]


@dataclass(frozen=True, slots=True)
class Transferred:
    """What became of an intent: an upload, or the error; and the sources whose bytes were missing or bad."""

    intent: Intent
    upload: Upload | None
    error: TierkeeperError | None
    bad_sources: tuple[tuple[PlacementRow, check.Wrong], ...] = ()  # with what is wrong with each


class Renewal:
    """Calls ``renew`` when something moved and ``every`` seconds are over, up to ``cap`` seconds an item or part."""

    def __init__(self, renew: Callable[[], None], *, every: float, cap: float) -> None:
        self.every = every
        self._renew, self._cap = renew, cap
        self._last = time.monotonic()
        self._end = self._last + cap
        self._silent, self._lock = 0, Lock()

    def progressed(self) -> None:
        """Tell that something moved."""
        now = time.monotonic()
        if now - self._last >= self.every and now < self._end:
            self._last = now
            self._renew()

    def item_done(self) -> None:
        """Tell that an item is finished, or a part of one that a server copies: the cap is each one's own."""
        self._end = time.monotonic() + self._cap
        self.progressed()

    def waited(self) -> None:
        """Tell that time went by: copies that cannot tell of their progress keep their lease."""
        if self._silent:
            self.progressed()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """While this lasts, a store copies on its own side and says nothing until it is done."""
        with self._lock:
            self._silent += 1
        try:
            yield
        finally:
            with self._lock:
                self._silent -= 1


def transfer_all(engine: Engine, intents: Sequence[Intent], renewal: Renewal) -> list[Transferred]:
    """Carry out the intents, some at once; an intent's error is its own."""
    return each(engine, lambda intent: transfer(engine, intent, renewal), intents, renewal)


def each(engine: Engine, call: Callable[[T], R], items: Sequence[T], renewal: Renewal) -> list[R]:
    """Make one call per item, some at once, renewing the leases meanwhile; results as they come."""
    finished: SimpleQueue[Future[R]] = SimpleQueue()
    for item in items:
        engine.threads.submit(call, item).add_done_callback(finished.put)
    done: list[R] = []
    while len(done) < len(items):
        try:
            done.append(finished.get(timeout=renewal.every).result())
        except Empty:
            renewal.waited()
        else:
            renewal.item_done()
    return done


def transfer(engine: Engine, intent: Intent, renewal: Renewal) -> Transferred:
    """Copy from the first source that has the right bytes."""
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
    """Return what was done, without the uploads to a place that is not the tier's own by now (R19)."""
    refused = engine.refused(one.intent.tier for one in done if one.upload is not None)
    return [
        replace(one, upload=None, error=refused[one.intent.tier])
        if one.upload is not None and one.intent.tier in refused
        else one
        for one in done
    ]


def alarm(done: Sequence[Transferred]) -> None:
    """Tell of the tiers that failed, each with its kind of error in one line, however many copies it hit."""
    failed: dict[tuple[str, str], list[TierkeeperError]] = {}
    for one in done:
        if one.error is not None:
            tier = str(one.error.data.get("tier", one.intent.tier))
            failed.setdefault((tier, one.error.code), []).append(one.error)
    for (tier, code), errors in failed.items():
        COPIES_FAILED.labels(tier=tier, error=code).inc(len(errors))
        _log.error("a tier failed", tier=tier, error=code, copies=len(errors), message=str(errors[0]))


def fault(tier: str, error: Exception) -> StoreDefect:
    """Return an error that no store should raise as one of its tier's, and log it whole."""
    _log.error("a store failed in a way of its own", tier=tier, exc_info=error)
    return StoreDefect(tier=tier, reason=f"{type(error).__name__}: {error}")


def uploaded(
    engine: Engine,
    intent: Intent,
    stored: Stored,
    *,
    source: PlacementRow | None = None,
    progressed: Callable[[], None] = lambda: None,
) -> Upload:
    """Return the upload for its commit, read back where nobody vouches for it; ``source``: what it was made from (R6).

    Raises ContentMismatch if the store has something else, and what the store raises where it cannot be read now.
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
    return Upload(
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
    """Return what the stored bytes of an intent should be: those of its source, whose form it has (R6)."""
    if source is None:
        return intent.info.content
    return opener.expected(source.form, intent.info.content, tier=source.tier)


def _vouched(stored: Stored, source: PlacementRow | None) -> Vouched | None:
    """Return who vouches for what was stored; a copy by its pin is as good as its source, and no better (R17)."""
    if stored.vouched is Vouched.PINNED and not _is_pinned(source):
        return None
    if stored.vouched is Vouched.SERVER and stored.sha256 is None:
        return None
    return stored.vouched


def _is_pinned(source: PlacementRow | None) -> bool:
    return source is not None and source.vouched is not None and source.pin is not None


def _copies_itself(origin: Store, target: Store, source: PlacementRow) -> bool:
    """Whether the bytes need not pass through here: what cannot be read back has to be vouched for as it is written."""
    return origin.realm == target.realm and source.form.whole and (_is_pinned(source) or not target.must_thaw)


def _copy(engine: Engine, source: PlacementRow, intent: Intent, renewal: Renewal) -> Stored:
    origin, target = engine.store(source.tier), engine.store(intent.tier)
    if _copies_itself(origin, target, source):
        with renewal.silent(), progress.told_to(renewal.item_done):
            return target.copy(origin, opener.key_of(source.form), intent.location, intent.info)
    with opener.stored(origin, source.form) as chunks:
        stream: io.RawIOBase | io.BytesIO = streams.Chunks(chunks, progressed=renewal.progressed)
        if intent.info.size <= engine.settings.engine.spool_limit:
            stream = io.BytesIO(stream.read(-1) or b"")  # small: a store can send it again when a try fails
        return target.put(intent.location, cast("BinaryIO", stream), intent.info)


def _wrong(engine: Engine, source: PlacementRow, content: Content, renewal: Renewal) -> check.Wrong | None:
    """Return what is wrong with a source, if it is: what failed may have been the target, or the store for a moment.

    It is asked between two readings of the tier's mark, of which ``damage.report`` makes the second (R19).
    """
    if engine.refused([source.tier]):
        return None
    try:
        found = check.confirmed(engine, source, content, progressed=renewal.progressed)
    except TierkeeperError:
        return None
    except Exception as problem:  # noqa: BLE001  as above
        fault(source.tier, problem)
        return None
    return found if isinstance(found, check.Wrong) else None
