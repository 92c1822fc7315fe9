"""Measurements of the machine: CPU time by this process's family and by others, and a process's memory."""

import ctypes
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
#: programs by the beginning of their names; every other one is what the side itself runs
_KINDS: Final = {"postgres": ("postgres",), "broker": ("valkey",), "store": ("radosgw", "ceph")}
_STAT_COUNTED = (0, 1, 2, 7)  # user, nice, system, steal; interrupts, mostly caused by us, are not counted


def adopt_orphans() -> None:
    """Make daemons started by this process its children, so that their CPU time counts as ours."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        msg = "this kernel has no subreapers, so the CPU of others can't be told from ours"
        raise OSError(msg)


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of one measured piece of work.

    ``seconds``; ``cpu``: seconds of CPU of this process's family, by kind: ``program`` (what the side itself runs),
    ``postgres``, ``store``, ``broker``; a process that began and ended meanwhile counts as its parent; ``others``: CPU
    of everything else, in cores; ``log``: bytes of PostgreSQL's write-ahead log; ``transactions``: those committed.
    """

    seconds: float
    cpu: Mapping[str, float]
    others: float
    log: int = 0
    transactions: int = 0

    @property
    def ours(self) -> float:
        """The CPU of this process's family, in cores."""
        return sum(self.cpu.values()) / self.seconds


class Meter:
    """Measures from its creation to :meth:`read`; ``server``: the URL of a PostgreSQL server's own database."""

    def __init__(self, server: str | None = None) -> None:
        self._server = server
        self._written = _written(server)
        self._all, self._family = _all(), _family()
        self._began = time.monotonic()

    def read(self) -> Usage:
        """Return the usage since the creation."""
        seconds = time.monotonic() - self._began
        everything, family, written = _all() - self._all, _family() - self._family, _written(self._server)
        cpu = {kind: ticks / TICKS for kind, ticks in family.items()}
        others = everything / TICKS / seconds - sum(cpu.values()) / seconds
        log, transactions = (now - then for now, then in zip(written, self._written, strict=True))
        return Usage(seconds, cpu, max(0.0, others), log, transactions)


def peak_memory(pid: int) -> int:
    """Return the most bytes that ``pid`` held in memory at once since it began (or since :func:`forget_peak`)."""
    return _memory(pid, "VmHWM:")


def resident_memory(pid: int) -> int:
    """Return the bytes that ``pid`` holds in memory now, those that it shares with other processes included."""
    return _memory(pid, "VmRSS:")


def _memory(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak(pid: int) -> None:
    """Reset the peak of ``pid`` to the memory that it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def children(parent: int) -> list[int]:
    """Return the processes that are children of ``parent`` themselves."""
    return _by_parent().get(parent, [])


def descendants(root: int) -> list[int]:
    """Return ``root`` and every process below it."""
    by_parent = _by_parent()
    family, pending = [], [root]
    while pending:
        pid = pending.pop()
        family.append(pid)
        pending.extend(by_parent.get(pid, ()))
    return family


def _by_parent() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pid, fields in _stats():
        found.setdefault(int(fields[2]), []).append(pid)
    return found


def _all() -> int:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[i]) for i in _STAT_COUNTED)


def _family() -> Counter[str]:
    """Return the CPU ticks of this process and all below it, including those of their children that have ended."""
    family = set(descendants(os.getpid()))
    ticks = Counter[str]()
    for pid, fields in _stats():
        if pid in family:
            ticks[_kind(fields[0])] += sum(map(int, fields[12:16]))
    return ticks


def _kind(program: str) -> str:
    return next((kind for kind, beginnings in _KINDS.items() if program.startswith(beginnings)), "program")


def _written(server: str | None) -> tuple[int, int]:
    """Return the position of a server's write-ahead log, and how many transactions its databases committed."""
    if server is None:
        return 0, 0
    with psycopg.connect(server, autocommit=True) as connection:
        row = connection.execute("""
            SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, sum(xact_commit)::bigint
            FROM pg_stat_database
        """).fetchone()
    assert row is not None
    return row


def _stats() -> list[tuple[int, list[str]]]:
    """Return (pid, fields from the program's name on) of every process."""
    stats = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:  # the process has ended
            continue
        program, _, fields = text.partition("(")[2].rpartition(")")
        stats.append((int(folder.name), [program, *fields.split()]))
    return stats
