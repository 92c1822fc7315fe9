"""Samples of running processes: the memory of each role, and the cores that are busy, every few seconds."""

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from benchmarks.harness.machine import Meter, Usage, peak_memory, resident_memory

EVERY: Final = 5.0  # seconds
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the first, MiB of the largest process of each role, the usage since the look before."""

    seconds: float
    memory: Mapping[str, float]
    usage: Usage


@dataclass(slots=True)
class Sampler:
    """Looks at processes for as long as a block lasts; ``roles`` returns their ids by role."""

    roles: Callable[[], Mapping[str, Sequence[int]]]
    samples: list[Sample] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)  # MiB, the most that a process of the role held at once
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def until(self, seconds: float) -> list[Sample]:
        """Return the samples of the first so many seconds."""
        return [sample for sample in self.samples if sample.seconds <= seconds]

    def _look(self) -> None:
        began, meter = time.monotonic(), Meter()
        while not self._ended.wait(EVERY):
            usage, meter = meter.read(), Meter()
            roles = self.roles()
            for role, pids in roles.items():
                self.peaks[role] = max(self.peaks.get(role, 0.0), _largest(pids, peak_memory))
            memory = {role: _largest(pids, resident_memory) for role, pids in roles.items()}
            self.samples.append(Sample(time.monotonic() - began, memory, usage))


def _largest(pids: Iterable[int], measure: Callable[[int], int]) -> float:
    found = [0]
    for pid in pids:
        with suppress(OSError):  # the process has ended
            found.append(measure(pid))
    return max(found) / MIB


def growth(values: Sequence[float]) -> tuple[float, float]:
    """Return the median of the second fifth of the values, and that of the last; there must be five or more."""
    fifth = len(values) // 5
    return statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])
