"""Moving one artifact's bytes into a new placement, verified; renewing leases while that goes on."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock
from typing import BinaryIO, cast
from uuid import UUID

from tierkeeper.base import log as logs
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.metrics import observe
from tierkeeper.catalog.placements import Upload
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine import checking, streams
from tierkeeper.engine.context import Engine
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StorePermanent

log = logs.get(__name__)


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
    bad_sources: tuple[tuple[PlacementRow, str], ...] = ()  # with what is wrong with each


class Renewal:
    """Calls ``renew`` when something moved and ``every`` seconds are over, up to ``cap`` seconds an item."""

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
        """Tell that an item is finished: the cap is each item's own."""
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
    finished: SimpleQueue[Future[Transferred]] = SimpleQueue()
    for intent in intents:
        engine.threads.submit(transfer, engine, intent, renewal).add_done_callback(finished.put)
    done: list[Transferred] = []
    while len(done) < len(intents):
        try:
            done.append(finished.get(timeout=renewal.every).result())
        except Empty:
            renewal.waited()
        else:
            renewal.item_done()
    return done


def transfer(engine: Engine, intent: Intent, renewal: Renewal) -> Transferred:
    """Copy from the first source that has the right bytes."""
    bad: list[tuple[PlacementRow, str]] = []
    error: TierkeeperError | None = None
    for source in intent.sources:
        try:
            stored = _copy(engine, source, intent, renewal)
            return Transferred(intent, uploaded(intent, stored, source=source), None, tuple(bad))
        except (ObjectNotFound, ContentMismatch) as problem:
            error = problem
            wrong = _wrong(engine, source, intent.info.sha256, renewal)
            if wrong is not None:
                bad.append((source, wrong))
        except TierkeeperError as problem:
            error = problem
        except Exception as problem:  # noqa: BLE001  one bad item never stops its batch
            error = fault(intent.tier, problem)
    return Transferred(intent, None, error, tuple(bad))


def alarm(done: Sequence[Transferred]) -> None:
    """Tell of the tiers that failed, each with its kind of error in one line, however many copies it hit."""
    failed: dict[tuple[str, str], list[TierkeeperError]] = {}
    for one in done:
        if one.error is not None:
            tier = str(one.error.data.get("tier", one.intent.tier))
            failed.setdefault((tier, one.error.code), []).append(one.error)
    for (tier, code), errors in failed.items():
        observe("copies_failed", len(errors), tier=tier, error=code)
        log.error("a tier failed", tier=tier, error=code, copies=len(errors), message=str(errors[0]))


def fault(tier: str, error: Exception) -> StorePermanent:
    """Return an error that no store should raise as one of its tier's, and log it whole."""
    log.error("a store failed in a way of its own", tier=tier, exc_info=error)
    return StorePermanent(tier=tier, reason=f"{type(error).__name__}: {error}")


def uploaded(intent: Intent, stored: Stored, *, source: PlacementRow | None = None) -> Upload:
    """Return the verified upload for its commit; ``source``: the copy that it was made from (R6).

    Raises ContentMismatch if the store has something else.
    """
    info = intent.info
    if stored.size != info.size or (stored.sha256 is not None and stored.sha256 != info.sha256):
        raise ContentMismatch(
            tier=intent.tier, location=intent.location, reason=f"{stored.size} bytes instead of {info.size}"
        )
    return Upload(
        placement=intent.placement,
        blob=intent.blob,
        tier=intent.tier,
        size=stored.size,
        sha256=info.sha256,
        version=stored.version,
        checksum=None if stored.sha256 is None else f"sha256:{stored.sha256.hex()}",
        source=source,
    )


def _copy(engine: Engine, source: PlacementRow, intent: Intent, renewal: Renewal) -> Stored:
    origin, target = engine.store(source.tier), engine.store(intent.tier)
    key = ObjectKey(source.location, source.store_version)
    if origin.realm == target.realm:
        with renewal.silent():
            return target.copy(origin, key, intent.location, intent.info)
    with origin.open(key) as chunks:
        stream: io.RawIOBase | io.BytesIO = streams.Chunks(chunks, progressed=renewal.progressed)
        if intent.info.size <= engine.settings.engine.spool_limit:
            stream = io.BytesIO(stream.read(-1) or b"")  # small: a store can send it again when a try fails
        return target.put(intent.location, cast("BinaryIO", stream), intent.info)


def _wrong(engine: Engine, source: PlacementRow, sha256: bytes, renewal: Renewal) -> str | None:
    """Return what is wrong with a source, if it is: what failed may have been the target, or the store for a moment."""
    try:
        return checking.confirmed(engine, source, sha256, progressed=renewal.progressed)
    except TierkeeperError:
        return None
    except Exception as problem:  # noqa: BLE001  as above
        fault(source.tier, problem)
        return None
