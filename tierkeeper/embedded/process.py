"""Server processes that outlive their starter, and a folder with a path short enough for their sockets."""

import errno
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tierkeeper.embedded.errors import EmbeddedUnavailable
from tierkeeper_client.errors import InvalidInput

# sun_path has 108 bytes on Linux, 104 on macOS, with its NUL; the longest file name is .s.PGSQL.5432.lock
MAX_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432.lock")
POLL = 0.02  # seconds
FULL = os.strerror(errno.ENOSPC)  # "No space left on device"


def run(service: str, command: Sequence[str | Path], *, timeout: float = 120) -> None:
    """Run ``command`` to its end; raise :class:`EmbeddedUnavailable` with the end of its output if it fails."""
    # a file, not a pipe: a server that the command starts would keep a pipe open
    with tempfile.TemporaryFile() as said:
        try:
            code = subprocess.run(  # noqa: S603  our own binaries and paths, no shell
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
                start_new_session=True,  # Ctrl-C in a terminal is for the caller, who then stops the services
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedUnavailable(
                service=service, reason=str(error), fix="Try again, or use a server of yours."
            ) from error
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if code:
        raise EmbeddedUnavailable(
            service=service,
            reason=full_first(f"{Path(command[-1] if not text else command[0]).name} ended with {code}: {text[-800:]}"),
            fix="Mend that, or use a server of yours.",
        )


def full_first(text: str) -> str:
    """Return a program's output with a full disk named first, as it is the cause of the other messages."""
    return f"{FULL}: {text}" if FULL in text and not text.startswith(FULL) else text


def alive(pid_file: Path, *words: str) -> int | None:
    """Return the process id in the first line of ``pid_file``, if it is alive with ``words`` in its command line."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    line = _command_line(pid)
    return pid if line and all(word in line for word in words) else None


def _command_line(pid: int) -> str:
    """Return the command line of ``pid``; empty if there is no such process or it is a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    said = subprocess.run(  # noqa: S603  a number is all that varies
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return said.stdout


def wait_until(done: Callable[[], bool], *, seconds: float) -> bool:
    """Poll ``done`` for up to ``seconds``; return whether it became true."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True


def private_folder(path: Path) -> Path:
    """Create ``path`` for this user only, unless it exists, and return it. Raises InvalidInput."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            field="home folder",
            value=str(path),
            problem=f"it cannot be made: {error.strerror}",
            fix="Choose another with --home or TIERKEEPER_HOME.",
        ) from error
    return path


def socket_folder(run_folder: Path) -> Path:
    """Return a folder whose path is short enough for sockets: ``run_folder``, or a temporary one recorded in it.

    Call it under the lock of ``run_folder``, so that all processes use the same folder.
    """
    if len(os.fsencode(run_folder)) <= MAX_SOCKET_FOLDER:
        return run_folder
    record = run_folder / "sockets"
    if record.exists():
        known = Path(record.read_text())
        if known.is_dir() and not known.is_symlink() and known.stat().st_uid == os.getuid():
            return known
    fresh = Path(tempfile.mkdtemp(prefix="tierkeeper-", dir=_short_temp()))
    record.write_text(str(fresh))
    return fresh


def _short_temp() -> str:
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) + len("/tierkeeper-xxxxxxxx") <= MAX_SOCKET_FOLDER else "/tmp"  # noqa: S108  mkdtemp makes a private one in it
