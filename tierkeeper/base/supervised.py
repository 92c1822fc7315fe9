"""The end of a process whose supervisor is gone, by a SIGKILL for example.

A supervisor gives its processes a pipe as standard input, whose other end it alone has and never writes to. However it
ends, the system closes that end, which its processes see at once, also one that begins only now.
"""

import os
import signal
import threading
from typing import Final

FLAG: Final = "--supervised"  # the first argument of a process that has such a pipe


def end_with_supervisor() -> None:
    """Let SIGTERM come to this process once its supervisor is gone, so that tasks under way end first."""
    threading.Thread(target=_wait, name="supervisor", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1):
        pass  # a supervisor writes nothing
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # nothing reads them any more
        os.dup2(nowhere, stream)
    os.close(nowhere)
    main = threading.main_thread().ident
    assert main is not None  # noqa: S101  it is started
    signal.pthread_kill(main, signal.SIGTERM)  # which alone runs handlers, and may be waiting in a call
