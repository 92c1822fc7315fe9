"""Single stores that wait at the same moment are stored together: one of their threads leads, the others wait for it.

A store alone costs four transactions. While a leader is at work, the stores that come meanwhile gather; the next
leader, one of them, takes those through one batch (:func:`ingest.store_together`): one opening, one intend, one commit.
A store that comes while nobody leads leads at once, so none waits for company. A leader whose batch takes long, because
a tier does, holds up no other: who waited a moment for it leads beside it.

Each stays a command of its own: its key, actor and correlation, its row in ``commands``, its event. What one of them
cannot be stored by fails no other: a batch that raises is halved until it is alone. Where the catalog is away every one
is told so, and where the outcome of a commit is not known, the next delivery of each message finds it in ``commands``.

A crash of the process at any step leaves what a crash of :mod:`ingest` leaves there, for each of them.
"""

import copy
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogLimited, CatalogUnavailable, TierkeeperError
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import ingest
from tierkeeper.values.artifacts import StoreResult
from tierkeeper_client import contract

MOST: Final = 100  # stores of one batch
MOST_BYTES: Final = 8 * 1024 * 1024  # of their content, as it stands in the messages
LEADERS: Final = 4  # at the same time, each but the last of them slow
#: seconds after which a leader is slow: a batch takes some hundredths of one
PATIENCE: Final = 0.5


@dataclass(slots=True, eq=False)
class _Member:
    """A store that waits for its outcome, or leads."""

    args: "contract.StoreArgs"
    caller: Caller
    size: int
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    outcome: StoreResult | BaseException | None = None

    def done(self, outcome: StoreResult | BaseException) -> None:
        self.outcome = outcome
        self.woken.set()

    @property
    def command(self) -> tuple[str, str]:
        return self.args.tenant, self.caller.key


class Gathering:
    """Stores single artifacts of one process, those together that come together. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._waiting: deque[_Member] = deque()
        self._leading: dict[int, float] = {}  # by the leader: when it began

    def store(self, args: "contract.StoreArgs", *, caller: Caller) -> StoreResult:
        """Store one artifact with inline content; raises as :func:`ingest.store` does."""
        if not isinstance(args.content, contract.InlineContent):
            return ingest.store(self._engine, args, caller=caller)
        member = _Member(args, caller.keyed(), len(args.content.data))
        batch: list[_Member] = []
        try:
            with self._lock:
                if not self._leads(member):
                    self._waiting.append(member)
            while not (member.leads or member.woken.wait(PATIENCE)):
                with self._lock:
                    if member in self._waiting and self._leads(member):
                        self._waiting.remove(member)
            if member.leads:
                self._fill(batch, member)
                self._store(batch)
        finally:
            self._leave(member, batch)
        outcome = member.outcome
        del member, batch  # an error that is raised here would keep its store alive, until the garbage is collected
        assert outcome is not None  # noqa: S101  done by a leader, which this one may be
        if isinstance(outcome, BaseException):
            try:
                raise outcome
            finally:
                del outcome
        return outcome

    def _leads(self, member: _Member) -> bool:
        """Let a member lead, unless a leader is at work that is not slow; return whether it does."""
        now = time.monotonic()
        if len(self._leading) < LEADERS and all(now - began > PATIENCE for began in self._leading.values()):
            self._leading[id(member)] = now
            member.leads = True
        return member.leads

    def _fill(self, batch: list[_Member], leader: _Member) -> None:
        """Take the leader's own store, and those that wait longest, each command once, within the bounds.

        A message that was delivered twice finds its first delivery's result in the next batch.
        """
        batch.append(leader)
        commands = {leader.command}
        size = leader.size
        left: deque[_Member] = deque()
        with self._lock:
            while self._waiting and len(batch) < MOST:
                member = self._waiting.popleft()
                if member.command in commands or size + member.size > MOST_BYTES:
                    left.append(member)
                else:
                    batch.append(member)
                    commands.add(member.command)
                    size += member.size
            self._waiting.extendleft(reversed(left))

    def _store(self, batch: Sequence[_Member]) -> None:
        """Store a batch, halved until what fails is alone."""
        try:
            by = batch[0].caller if len(batch) == 1 else callers.WORKER
            stores = [(member.args, member.caller) for member in batch]
            for member, outcome in zip(batch, ingest.store_together(self._engine, stores, caller=by), strict=True):
                # each error is raised in a thread of its own, and may be that of a tier that they share
                member.done(copy.copy(outcome) if isinstance(outcome, BaseException) else outcome)
        except Exception as error:  # noqa: BLE001  whose it is shows when it is alone
            if len(batch) == 1:
                batch[0].done(error)
            elif _is_everybodys(error):
                for member in batch:
                    member.done(copy.copy(error))
            else:
                middle = len(batch) // 2
                self._store(batch[:middle])
                self._store(batch[middle:])

    def _leave(self, member: _Member, batch: Sequence[_Member]) -> None:
        """Let go of what a thread holds that returns: its batch, its place among those that wait, its lead."""
        for other in batch:
            if other.outcome is None:  # what ends this thread is not theirs
                other.done(CatalogUnavailable(reason="the thread that stored it with others was ended"))
        with self._lock:
            if member in self._waiting:  # it was interrupted
                self._waiting.remove(member)
            if self._leading.pop(id(member), None) is None:
                return
            if self._waiting and self._leads(self._waiting[0]):
                self._waiting.popleft().woken.set()


def _is_everybodys(error: Exception) -> bool:
    """Return True for an error that each of a batch would meet alone: what a limit on time ended may be one's alone."""
    return isinstance(error, TierkeeperError) and error.of_all and not isinstance(error, CatalogLimited)
