"""A store that fails as stores do: a real one behind the port, and chance decides what becomes of each call.

Faults before the effect (5xx, denied, full, a condition that fails), after it (a time-out whose call took effect),
late effects, short and wrong bodies in both directions, wrong answers, partly failed bulk deletes. One thing it never
does: forget bytes that it has acknowledged.
"""

import contextlib
import dataclasses
import io
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, TypeVar, cast

from support.around import Around
from tierkeeper.keeper import Keeper
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import (
    ContentMismatch,
    ObjectNotFound,
    StoreDenied,
    StoreFull,
    StorePermanent,
    StoreTransient,
)
from tierkeeper.stores.s3.store import S3Store

R = TypeVar("R")


class Fault(StrEnum):
    """What becomes of a call."""

    UNAVAILABLE = "503"
    DENIED = "403"
    FULL = "507"
    CONFLICT = "409"
    OCCUPIED = "412"
    MISSING = "404"
    TIMED_OUT = "time-out after effect"
    LATE = "late effect"
    SHORT = "short body"
    WRONG = "wrong body"
    LYING = "wrong answer"
    PARTIAL = "partly failed"
    DEFECT = "an error that no store should raise"


WRITING = (
    Fault.UNAVAILABLE,
    Fault.DENIED,
    Fault.FULL,
    Fault.CONFLICT,
    Fault.OCCUPIED,
    Fault.TIMED_OUT,
    Fault.LATE,
    Fault.SHORT,
    Fault.WRONG,
    Fault.LYING,
    Fault.DEFECT,
)
READING = (Fault.UNAVAILABLE, Fault.DENIED, Fault.MISSING, Fault.SHORT, Fault.WRONG, Fault.DEFECT)
DELETING = (Fault.UNAVAILABLE, Fault.TIMED_OUT, Fault.LATE, Fault.PARTIAL)


@dataclass(slots=True)
class Weather:
    """How often calls fail, shared by the stores of a keeper; ``share`` 0 is calm."""

    chance: random.Random
    share: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    late: list[Callable[[], object]] = field(default_factory=list)
    spoiled: set[str] = field(default_factory=set)  # whose bytes came wrong the last time they were read
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, operation: str, faults: Sequence[Fault]) -> Fault | None:
        """Choose what becomes of a call; None: nothing, this time."""
        with self.lock:
            if self.chance.random() >= self.share:
                return None
            chosen = self.chance.choice(faults)
            self.met[f"{operation}: {chosen}"] += 1
            return chosen

    def arrive(self) -> None:
        """Let every late effect have its effect."""
        with self.lock:
            late, self.late = self.late, []
        for effect in late:
            effect()

    def calm(self) -> None:
        """No more faults; what is under way arrives."""
        self.share = 0.0
        self.arrive()


@dataclass(slots=True)
class Forecast(Weather):
    """Weather that is known: the next calls of an operation meet these faults, then it is calm."""

    coming: dict[str, list[Fault]] = field(default_factory=dict)

    def fault(self, operation: str, faults: Sequence[Fault]) -> Fault | None:  # noqa: ARG002  it is told which
        left = self.coming.get(operation)
        return left.pop(0) if left else None


class FaultyStore(Around):
    """The store behind it, in bad weather; only what it is and its locks are left alone."""

    def __init__(self, inner: Store, weather: Weather, *, apart: bool) -> None:
        super().__init__(inner)
        self._weather = weather
        self._apart = apart

    @property
    def realm(self) -> str:
        return f"{self.inner.realm} {self.config.tier}" if self._apart else self.inner.realm

    @property
    def puts_together(self) -> int:
        return 2  # each of them in its own weather

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        body = content.read()
        fault = self._weather.fault("put", WRITING)
        if fault is Fault.SHORT:
            body = body[:-1]
        elif fault is Fault.WRONG:
            body = _changed(body)
        return self._write(fault, lambda: self.inner.put(location, io.BytesIO(body), info), location)

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        plain = source.inner if isinstance(source, FaultyStore) and isinstance(source.inner, S3Store) else source
        fault = self._weather.fault("copy", WRITING)
        if fault in {Fault.SHORT, Fault.WRONG}:  # on the server's side: it notices
            raise ContentMismatch(tier=self.config.tier, location=location, reason="a fault")
        return self._write(fault, lambda: self.inner.copy(plain, key, location, info), location)

    def head(self, key: ObjectKey) -> Stored:
        self._refuse(self._weather.fault("head", (Fault.UNAVAILABLE, Fault.DENIED)), key.location)
        return self.inner.head(key)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        fault = self._spoiling(key)
        if fault not in {Fault.SHORT, Fault.WRONG}:
            self._refuse(fault, key.location)
        with self.inner.open(key, offset=offset, length=length) as pieces:
            yield pieces if fault is None else _spoiled(fault, pieces)

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        fault = self._weather.fault("delete", DELETING)
        if fault is Fault.UNAVAILABLE:
            return [_failed(key) for key in keys]
        if fault is Fault.LATE:
            self._weather.late.append(lambda: self.inner.delete(keys))
            return [_failed(key) for key in keys]
        if fault is Fault.TIMED_OUT:
            self.inner.delete(keys)
            return [_failed(key) for key in keys]
        if fault is Fault.PARTIAL:
            going = [key for key in keys if self._weather.chance.random() < 0.5]
            found = dict(zip(going, self.inner.delete(going), strict=True)) if going else {}
            return [found.get(key) or _failed(key) for key in keys]
        return self.inner.delete(keys)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        fault = self._weather.fault("list", (Fault.UNAVAILABLE,))
        for number, stored in enumerate(self.inner.list(prefix)):
            if fault is not None and number == 1:  # on a later page
                self._refuse(fault, prefix)
            yield stored

    # -- the faults

    def _write(self, fault: Fault | None, effect: Callable[[], Stored], location: str) -> Stored:
        if fault is Fault.LATE:
            self._weather.late.append(lambda: _harmless(effect))
            raise StoreTransient(tier=self.config.tier, reason="a late effect")
        if fault is Fault.TIMED_OUT:
            effect()
            raise StoreTransient(tier=self.config.tier, reason="a time-out after the effect")
        if fault is Fault.LYING:
            stored = effect()
            return dataclasses.replace(stored, size=stored.size + 1)
        if fault not in {Fault.SHORT, Fault.WRONG}:
            self._refuse(fault, location)
        return effect()

    def _spoiling(self, key: ObjectKey) -> Fault | None:
        """Choose a fault; bytes that came wrong come right the next time, for they are right."""
        fault = self._weather.fault("open", READING)
        with self._weather.lock:
            if fault not in {Fault.SHORT, Fault.WRONG, Fault.MISSING}:
                return fault
            if key.location in self._weather.spoiled:
                self._weather.spoiled.discard(key.location)
                return None
            self._weather.spoiled.add(key.location)
            return fault

    def _refuse(self, fault: Fault | None, location: str) -> None:
        tier, reason = self.config.tier, f"a fault: {fault}"
        match fault:
            case None:
                return
            case Fault.UNAVAILABLE | Fault.CONFLICT:
                raise StoreTransient(tier=tier, reason=reason)
            case Fault.DENIED:
                raise StoreDenied(tier=tier, reason=reason)
            case Fault.FULL:
                raise StoreFull(tier=tier, reason=reason)
            case Fault.OCCUPIED:
                raise StorePermanent(tier=tier, reason=reason)
            case Fault.MISSING:
                raise ObjectNotFound(tier=tier, location=location)
            case _:
                raise RuntimeError(reason)


@contextmanager
def bad_weather(keeper: Keeper, weather: Weather, *, apart: bool = False) -> Iterator[None]:
    """Put ``weather`` before every store of ``keeper``; it is calm when the context ends.

    ``apart``: no store can copy from another by itself, so that all bytes pass through the engine.
    """
    stores = cast("dict[str, Store]", keeper.engine.stores)
    before = dict(stores)
    stores.update({name: FaultyStore(store, weather, apart=apart) for name, store in before.items()})
    try:
        yield
    finally:
        weather.calm()
        stores.update(before)


def _harmless(effect: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):  # nobody listens any more, and what it was to be copied from may be gone
        effect()


def _failed(key: ObjectKey) -> DeleteResult:
    return DeleteResult(key, DeleteState.FAILED, "a fault")


def _changed(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1]) if body else b"?"


def _spoiled(fault: Fault, pieces: Iterator[bytes]) -> Iterator[bytes]:
    whole = b"".join(pieces)
    yield whole[:-1] if fault is Fault.SHORT else _changed(whole)
