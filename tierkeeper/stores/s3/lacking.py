"""Remembers which calls a tier's server does not implement, so that they are not sent again for every batch.

Such a call is answered with 501 or 405. Nothing is concluded from 403: whether the server has the call is unknown then.
"""

import time
from enum import StrEnum
from threading import Lock

from tierkeeper.base import log
from tierkeeper.stores.base import Memory
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.s3 import errors
from tierkeeper_client.errors import TierkeeperError

_log = log.get(__name__)

#: seconds for which an answer is used by one process: the server behind a name may be replaced
LIFE = 600


class Call(StrEnum):
    """A call that not every S3 server implements, by its stored name."""

    BULK_DELETE = "bulk_delete"
    LIST_UPLOADS = "list_uploads"


class Lacking:
    """The calls that one tier's server does not implement. Safe to use from many threads."""

    def __init__(self, tier: str, server: str) -> None:
        self._tier, self._server = tier, server
        self._lock = Lock()
        self._memory: Memory | None = None
        self._lacks: set[Call] = set()
        self._until = 0.0

    def remember(self, memory: Memory) -> None:
        """Use ``memory``, which outlives this process."""
        self._memory = memory

    def __contains__(self, call: Call) -> bool:
        """Return True if the server answered ``call`` lately as one that it does not implement."""
        if time.monotonic() >= self._until:
            recalled = self._recalled()
            with self._lock:  # what is learned meanwhile may be forgotten, and is learned again
                self._lacks = recalled
                self._until = time.monotonic() + LIFE
        with self._lock:
            return call in self._lacks

    def learn(self, call: Call, error: StoreError) -> bool:
        """Note from the error of ``call`` that the server does not implement it; False if that is not what it says."""
        if not errors.is_unimplemented(error):
            return False
        with self._lock:
            self._lacks.add(call)
        _log.info("a server does not implement a call", tier=self._tier, call=call.value, error=str(error))
        if self._memory is not None:
            try:
                self._memory.keep(self._server, {call.value: False})
            except TierkeeperError as unkept:
                _log.warning("what a server lacks is kept by this process alone", tier=self._tier, error=str(unkept))
        return True

    def _recalled(self) -> set[Call]:
        if self._memory is None:
            return set()
        try:
            known = self._memory.recall(self._server)
        except TierkeeperError as error:
            _log.warning("what the server lacks is not known", tier=self._tier, error=str(error))
            return set()
        return {call for call in Call if known.get(call.value) is False}
