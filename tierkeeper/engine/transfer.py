"""Moving one artifact's bytes into a new placement, verified; renewing leases while that goes on."""

import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import BinaryIO, cast
from uuid import UUID

from tierkeeper.base.errors import TierkeeperError
from tierkeeper.catalog.placements import Upload
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine import streams
from tierkeeper.engine.context import Engine
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound


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
    bad_sources: tuple[PlacementRow, ...] = ()


class Renewal:
    """Calls ``renew`` when something moved and ``every`` seconds are over, up to ``cap`` seconds in all."""

    def __init__(self, renew: Callable[[], None], *, every: float, cap: float) -> None:
        self._renew, self._every = renew, every
        self._last = time.monotonic()
        self._end = self._last + cap

    def progressed(self) -> None:
        """Tell that something moved."""
        now = time.monotonic()
        if now - self._last >= self._every and now < self._end:
            self._last = now
            self._renew()


def transfer_all(engine: Engine, intents: Sequence[Intent], renewal: Renewal) -> list[Transferred]:
    """Carry out the intents, some at once; an intent's error is its own."""
    pending: set[Future[Transferred]] = {engine.threads.submit(transfer, engine, intent, renewal) for intent in intents}
    done: list[Transferred] = []
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        done.extend(future.result() for future in finished)
        renewal.progressed()
    return done


def transfer(engine: Engine, intent: Intent, renewal: Renewal) -> Transferred:
    """Copy from the first source that has the right bytes."""
    bad: list[PlacementRow] = []
    error: TierkeeperError | None = None
    for source in intent.sources:
        try:
            stored = _copy(engine, source, intent, renewal)
            return Transferred(intent, uploaded(intent, stored), None, tuple(bad))
        except (ObjectNotFound, ContentMismatch) as problem:
            bad.append(source)
            error = problem
        except TierkeeperError as problem:
            error = problem
    return Transferred(intent, None, error, tuple(bad))


def uploaded(intent: Intent, stored: Stored) -> Upload:
    """Return the verified upload for its commit. Raises ContentMismatch if the store has something else."""
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
    )


def _copy(engine: Engine, source: PlacementRow, intent: Intent, renewal: Renewal) -> Stored:
    origin, target = engine.store(source.tier), engine.store(intent.tier)
    key = ObjectKey(source.location, source.store_version)
    if origin.realm == target.realm:
        return target.copy(origin, key, intent.location, intent.info)
    with origin.open(key) as chunks:
        stream: io.RawIOBase | io.BytesIO = streams.Chunks(chunks, progressed=renewal.progressed)
        if intent.info.size <= engine.settings.engine.spool_limit:
            stream = io.BytesIO(stream.read(-1) or b"")  # small: a store can send it again when a try fails
        return target.put(intent.location, cast("BinaryIO", stream), intent.info)
