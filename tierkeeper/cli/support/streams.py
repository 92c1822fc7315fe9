"""Standard output and error as they are: a terminal that prints ASCII alone, a full device, a pipe that is not read."""

import codecs
import errno
import os
import sys
import traceback
from collections import deque
from typing import Final, TextIO

from tierkeeper.base.errors import FileUnusable, OutputFull
from tierkeeper_client.errors import TierkeeperError

#: the exit code of a command whose output is no longer read, as in `… | head`: that of a program that SIGPIPE ends
CLOSED: Final = 141
_REPLACING: Final = "tierkeeper_replacing"
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_WRITERS: Final = ("click.", "rich.", "tierkeeper.cli.")  # modules; the last one's sources raise InvalidInput
_replaced: list[str] = []  # what the locale could not print


def _question_marks(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    _replaced.append(error.object[error.start : error.end])
    return "?" * (error.end - error.start), error.end


codecs.register_error(_REPLACING, _question_marks)


def can_ask() -> bool:
    """Return True if standard input is a terminal, where a question finds an answer."""
    return open_for_reading() and sys.stdin.isatty()


def open_for_reading() -> bool:
    """Return True unless standard input is closed, as by ``<&-``: Python has none then."""
    stream: TextIO | None = sys.stdin
    return stream is not None and not stream.closed


def takes_all(stream: TextIO) -> bool:
    """Return True if the stream's encoding has every character."""
    return (stream.encoding or "utf-8").lower().replace("-", "").startswith("utf")


def replace_unprintable() -> None:
    """Print ``?`` for what the locale's encoding has not; UTF-8 stays strict, as it fails for broken names alone."""
    _replaced.clear()
    for stream in (sys.stdout, sys.stderr):
        if not takes_all(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_REPLACING)


def remark() -> str | None:
    """Return the remark about characters that were replaced; None if there were none."""
    if not _replaced:
        return None
    return f"characters that this locale ({sys.stdout.encoding}) cannot print are shown as ?; use a UTF-8 one (C.UTF-8)"


def explained(error: OSError) -> TierkeeperError | None:
    """Return the error to show for what the system refused: an output that is full, a file; None for anything else.

    An error without a file's name is the output's only where a writer of the output met it. What is left of the output
    is dropped then, as the interpreter would try to write it when it ends.
    """
    if error.errno in _FULL:
        if error.filename is None:
            if not _met_by_a_writer(error):
                return None
            _drop_output()
        return OutputFull(reason=_where(error))
    if error.filename is not None:
        return FileUnusable(file=os.fsdecode(error.filename), reason=error.strerror)
    return None


def closed(error: OSError) -> bool:
    """Return True if ``error`` says that nothing reads the output any more; what is left of it is dropped then."""
    if error.errno != errno.EPIPE or error.filename is not None or not _met_by_a_writer(error):
        return False
    _drop_output()
    return True


def _where(error: OSError) -> str:
    return f"{error.strerror}" if error.filename is None else f"{error.strerror}: {os.fsdecode(error.filename)}"


def _met_by_a_writer(error: OSError) -> bool:
    """Return True if the innermost frame that the error came through is one that writes the output, and reads nothing.

    The stream cannot be asked: it forgets what it could not write.
    """
    innermost = deque(traceback.walk_tb(error.__traceback__), maxlen=1)
    return any(str(frame.f_globals.get("__name__")).startswith(_WRITERS) for frame, _line in innermost)


def _drop_output() -> None:
    """Let what the buffers still hold go nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
