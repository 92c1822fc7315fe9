"""Watches the embedded servers, for `tierkeeper up`, which starts one that died again.

A server that dies again and again, or cannot be started, is given up: its error ends the command.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tierkeeper.cli.support.supervisor import PAUSES, STEADY
from tierkeeper.embedded.errors import EmbeddedUnavailable
from tierkeeper.embedded.shared import Membership

LOOK: Final = 1.0  # seconds between two looks at the process table
DEATHS: Final = 5  # in a row, with which a server is given up; a start that fails is one


class ServerWatch:
    """Keeps the servers of ``members`` running, each in a thread of its own; what happens goes to ``say``."""

    def __init__(self, members: Sequence[Membership], say: Callable[[str], None]) -> None:
        self._members = members
        self._say = say
        self._stopping = threading.Event()
        self.error: EmbeddedUnavailable | None = None

    def start(self, give_up: Callable[[], None]) -> None:
        """Begin; ``give_up`` is called once a server is given up, when :attr:`error` says why."""
        for member in self._members:
            threading.Thread(target=self._watch, args=(member, give_up), daemon=True).start()

    def stop(self) -> None:
        """End the looks; a start under way is not cut off."""
        self._stopping.set()

    def _watch(self, member: Membership, give_up: Callable[[], None]) -> None:
        deaths, started = 0, time.monotonic()
        failed: EmbeddedUnavailable | None = None
        while not self._stopping.wait(LOOK):
            if member.server.process_id() is not None:
                continue
            deaths = 1 if time.monotonic() - started > STEADY else deaths + 1
            died = member.server.unavailable(f"it died {deaths} times in a row")
            if deaths == DEATHS:
                self.error = failed or died
                give_up()
                return
            self._say(f"the embedded {died.data['service']} died; it is started again")
            if deaths > 1 and self._stopping.wait(PAUSES.longest(deaths - 1)):
                return
            failed = _start_failure(member)
            started = time.monotonic()
            if failed is not None:
                self._say(str(failed))


def _start_failure(member: Membership) -> EmbeddedUnavailable | None:
    try:
        member.revive()
    except EmbeddedUnavailable as error:
        return error
    except Exception as error:  # noqa: BLE001  whatever keeps it from starting is a start that failed, and is counted
        return member.server.unavailable(str(error))
    return None
