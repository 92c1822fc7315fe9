"""Supervises several processes: merges and prefixes their lines, restarts dead ones, stops all of them cleanly."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.text import Text

from tierkeeper.base.backoff import Backoff
from tierkeeper.cli.support.homelock import HomeLock

#: seconds before a dead process is started again; a server, from its second death on
PAUSES: Final = Backoff(first=1.0, cap=30.0)
STEADY: Final = 60.0  # seconds of uptime after which the pauses begin with the first again
POLL: Final = 0.2
COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue")


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running: its name, its command, and additions to the environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HangFinding:
    """The finding that the program ``name`` hangs, with the ``reason``."""

    program: str
    reason: str


class Supervisor:
    """Keeps ``programs`` running until :meth:`stop`; their lines go to ``console``, prefixed and coloured.

    Each runs in a session of its own, so that Ctrl-C reaches this process only, which decides when to stop them. Their
    standard input is a pipe that ends with this process, however it does: see :mod:`tierkeeper.base.supervised`.
    ``lock`` is held by them too, and told of each. ``onlooker`` is called ``every`` so many seconds; the program that
    it reports as hanging is killed and restarted.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        console: Console,
        *,
        patience: float = 60.0,
        onlooker: Callable[[], HangFinding | None] | None = None,
        every: float = 60.0,
        lock: HomeLock | None = None,
    ) -> None:
        self._onlooker = onlooker
        self._every = every
        self._console = console
        self._patience = patience  # seconds allowed for a warm stop
        self._width = max(len(program.name) for program in programs)
        self._pipe = list(os.pipe())
        self._children = [
            _Child(program, COLOURS[at % len(COLOURS)], self._show, stdin=self._pipe[0], lock=lock)
            for at, program in enumerate(programs)
        ]
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start every process."""
        for child in self._children:
            child.start()

    def watch(self) -> None:
        """Restart processes that die, until :meth:`stop` is called from a signal handler or another thread."""
        looking = threading.Thread(target=self._poll_onlooker, daemon=True)  # a thread, as its queries may be slow
        looking.start()
        while not self._stopping.wait(POLL):
            for child in self._children:
                child.revive()

    def stop(self) -> None:
        """End :meth:`watch`. Safe in a signal handler."""
        self._stopping.set()

    def close(self, *, hurry: threading.Event | None = None) -> bool:
        """Stop every process warmly, so that tasks under way end; return True if all ended within the patience.

        Once ``hurry`` is set or the patience is over they are killed; the next claim takes up the work that they held.
        """
        try:
            return self._end(hurry)
        finally:
            while self._pipe:
                os.close(self._pipe.pop())

    def _end(self, hurry: threading.Event | None) -> bool:
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._patience
        while any(child.alive for child in self._children):
            if time.monotonic() > deadline or (hurry is not None and hurry.is_set()):
                for child in self._children:
                    child.signal(signal.SIGKILL)
                for child in self._children:
                    child.join()
                return False
            time.sleep(POLL)
        for child in self._children:
            child.join()
        return True

    def _poll_onlooker(self) -> None:
        while self._onlooker is not None and not self._stopping.wait(self._every):
            verdict = self._onlooker()
            if verdict is None or self._stopping.is_set():
                continue
            for child in self._children:
                if child.name == verdict.program:
                    child.put_down(verdict.reason)

    def _show(self, name: str, colour: str, line: str) -> None:
        prefix = Text(f"{name:<{self._width}} | ", style=colour)
        self._console.print(prefix + Text.from_ansi(line), soft_wrap=True, highlight=False)


class _Child:
    """One process and the thread that reads its lines."""

    def __init__(
        self,
        program: Program,
        colour: str,
        show: Callable[[str, str, str], None],
        *,
        stdin: int,
        lock: HomeLock | None,
    ) -> None:
        self._stdin = stdin
        self._lock = lock
        self._program = program
        self._colour = colour
        self._show = show
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._started = 0.0
        self._deaths = 0  # in a row
        self._again_at: float | None = None

    @property
    def name(self) -> str:
        return self._program.name

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  the commands are our own
            list(self._program.command),
            env={**os.environ, **self._program.environment, "PYTHONUNBUFFERED": "1"},
            stdin=self._stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock.file.fileno(),),
        )
        if self._lock is not None:
            self._lock.note(self.name, self._process.pid)
        self._started = time.monotonic()
        self._again_at = None
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def revive(self) -> None:
        """Start the process again if it died and its pause is over."""
        if self.alive or self._process is None:
            return
        now = time.monotonic()
        if self._again_at is None:
            if now - self._started > STEADY:
                self._deaths = 0
            self._deaths += 1
            pause = PAUSES.longest(self._deaths)
            self._again_at = now + pause
            how = _how_it_ended(self._process.returncode)
            self._say(f"{how}; it is started again in {pause:g} s")
        elif now >= self._again_at:
            self.start()

    def put_down(self, reason: str) -> None:
        """Kill the process and its session; :meth:`revive` starts it again."""
        self._say(f"{reason}; it is killed")
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send SIGKILL to the whole session, or another signal to the process, which stops its own children."""
        if self._process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            elif self.alive:
                self._process.send_signal(number)
        except ProcessLookupError:
            return

    def join(self) -> None:
        """Wait for the end of the process and of its output."""
        if self._process is not None:
            self._process.wait()
        if self._reader is not None:
            self._reader.join(timeout=5)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        with process.stdout:
            for line in process.stdout:
                self._say(line.decode(errors="replace").rstrip())

    def _say(self, line: str) -> None:
        if line:
            self._show(self._program.name, self._colour, line)


def _how_it_ended(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
