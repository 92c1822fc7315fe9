"""Server processes that outlive their starter, and a folder with a path short enough for their sockets."""

import errno
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tierkeeper.base import ownership
from tierkeeper.base.quantities import Unusable
from tierkeeper.embedded.errors import EmbeddedUnavailable
from tierkeeper_client import files
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
                umask=0o077,  # what a server makes is this user's, whoever started it
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
    return pid if runs(pid, *words) else None


def runs(pid: int, *words: str) -> bool:
    """Return True if the process is alive with ``words`` in its command line."""
    line = _command_line(pid)
    return bool(line) and all(word in line for word in words)


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


def private_folder(path: Path, *, group: str | None = None) -> Path:
    """Create ``path`` for this user only, unless it exists, and return it.

    Raises InvalidInput for what cannot be made, and for a folder that another user owns or can write; members of
    ``group`` may write to it.
    """
    try:
        files.make_folders(path, 0o700)
        place = path
        while stat.S_ISLNK((status := place.lstat()).st_mode):
            place = ownership.followed(place)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        ownership.check(path, status, group=group)
    except OSError as error:
        raise InvalidInput(
            field="home folder",
            value=str(path),
            problem=f"it cannot be made: {error.strerror}",
            fix="Choose another with --home or TIERKEEPER_HOME.",
        ) from error
    except Unusable as error:
        raise _refused("home folder", path, error) from error
    return path


def private_file(path: Path, flags: int) -> int:
    """Open the file ``path`` of the home, created for this user only if it is missing; return the descriptor.

    Raises InvalidInput for what is no plain file of one name, and for one that another user owns or can write.
    """
    try:
        file = files.open_plain(path, flags=flags | os.O_CREAT, single=True)
    except OSError as error:
        fix = "Look at it, and remove it." if error.errno in {errno.ELOOP, errno.EINVAL} else "Mend that."
        raise InvalidInput(field="file", value=str(path), problem=str(error.strerror), fix=fix) from error
    try:
        ownership.check(path, os.fstat(file))
    except Unusable as error:
        os.close(file)
        raise _refused("file", path, error) from error
    return file


def private_log(path: Path) -> Path:
    """Create the log of a server for this user only, unless it exists, and return it; raises as private_file."""
    os.close(private_file(path, os.O_WRONLY | os.O_APPEND))
    return path


def _refused(field: str, path: Path, error: Unusable) -> InvalidInput:
    return InvalidInput(field=field, value=str(path), problem=error.problem.rstrip("."), fix=error.fix)


def socket_folder(run_folder: Path) -> Path:
    """Return a folder whose path is short enough for sockets: ``run_folder``, or a temporary one recorded in it.

    Call it under the lock of ``run_folder``, so that all processes use the same folder.
    """
    if len(os.fsencode(run_folder)) <= MAX_SOCKET_FOLDER:
        return run_folder
    with os.fdopen(private_file(run_folder / "sockets", os.O_RDWR), "r+") as record:
        known = Path(record.read() or run_folder / "missing")
        if known.is_dir() and not known.is_symlink() and known.stat().st_uid == os.getuid():
            return known
        fresh = Path(tempfile.mkdtemp(prefix="tierkeeper-", dir=_short_temp()))
        record.seek(0)
        record.truncate()
        record.write(str(fresh))
    return fresh


def _short_temp() -> str:
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) + len("/tierkeeper-xxxxxxxx") <= MAX_SOCKET_FOLDER else "/tmp"  # noqa: S108  mkdtemp makes a private one in it
