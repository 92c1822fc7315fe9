"""Measurements of the machine: CPU time by this process's family and by others, and a process's peak memory."""

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
_STAT_COUNTED = (0, 1, 2, 7)  # user, nice, system, steal; interrupts, mostly caused by us, are not counted


def adopt_orphans() -> None:
    """Make daemons started by this process its children, so that their CPU time counts as ours."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        msg = "this kernel has no subreapers, so the CPU of others can't be told from ours"
        raise OSError(msg)


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of one measured piece of work: seconds, and CPU in cores by this process's family and by others."""

    seconds: float
    ours: float
    others: float


class Meter:
    """Measures from its creation to :meth:`read`."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all, self._family = _all(), _family()

    def read(self) -> Usage:
        """Return the usage since the creation."""
        seconds = time.monotonic() - self._began
        ours = (_family() - self._family) / TICKS / seconds
        others = (_all() - self._all) / TICKS / seconds - ours
        return Usage(seconds, ours, max(0.0, others))


def peak_memory(pid: int) -> int:
    """Return the most bytes that ``pid`` held in memory at once since it began (or since :func:`forget_peak`)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak(pid: int) -> None:
    """Reset the peak of ``pid`` to the memory that it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descendants(root: int) -> list[int]:
    """Return ``root`` and every process below it."""
    parents = {pid: int(fields[1]) for pid, fields in _stats()}
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    family, pending = [], [root]
    while pending:
        pid = pending.pop()
        family.append(pid)
        pending.extend(children.get(pid, ()))
    return family


def _all() -> int:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[i]) for i in _STAT_COUNTED)


def _family() -> int:
    """Return the CPU ticks of this process and all below it, including those of their children that have ended."""
    family = set(descendants(os.getpid()))
    return sum(sum(map(int, fields[11:15])) for pid, fields in _stats() if pid in family)


def _stats() -> list[tuple[int, list[str]]]:
    """Return (pid, fields from the state on) of every process."""
    stats = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:  # the process has ended
            continue
        stats.append((int(folder.name), text.rpartition(")")[2].split()))
    return stats
