"""Access times: gathered in the process and written in batches, never by one row update per read.

An artifact whose policy counts age from the last access is younger after a read; where the policy then wants other
tiers, the artifact becomes due.
"""

import time
from datetime import datetime
from threading import Lock
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import callers, clock, log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import artifacts, schedule
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action
from tierkeeper.policy.rules import ACCESSED

_log = log.get(__name__)

_MOST, _SECONDS = 500, 30.0


class AccessLog:
    """The access times not yet written; a killed process loses at most ``_MOST`` artifacts or ``_SECONDS`` of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._times: dict[UUID, datetime] = {}
        self._since = time.monotonic()
        self._lock = Lock()

    def note(self, artifact: UUID) -> None:
        """Record that an artifact was read now; flush where the batch is full or old."""
        with self._lock:
            self._times[artifact] = clock.now()
            full = len(self._times) >= _MOST or time.monotonic() - self._since >= _SECONDS
        if full:
            self.flush()

    def flush(self) -> None:
        """Write the gathered times; where the catalog refuses them they are lost and logged, and no read fails."""
        with self._lock:
            times, self._times = self._times, {}
            self._since = time.monotonic()
        if not times:
            return
        try:
            self._engine.catalog.run(callers.READER, _write_times, self._engine, times)
        except TierkeeperError as error:
            _log.warning("access times are lost", artifacts=len(times), error=str(error))


def _write_times(connection: sa.Connection, engine: Engine, times: dict[UUID, datetime]) -> None:
    artifacts.record_access(connection, times)
    if not any(policy.clock == ACCESSED for policy in Moment.read(connection, engine).policies):
        return
    schedule.lock(connection, times)
    moment = Moment.read(connection, engine)
    now = moment.now
    due: list[schedule.Coming] = []
    seen: list[schedule.Coming] = []
    for row in artifacts.load(connection, times):
        policy = moment.policies.governing(row.subject)
        if row.state is ArtifactState.LIVE and policy.clock == ACCESSED:
            decision = moment.decide(row)
            if decision.tiers != row.wanted:
                due.append(schedule.Coming(row.id, row.tenant, now, "look again after a read"))
            if decision.action is Action.KEEP:  # an artifact due for deletion is young again: no longer braked
                due_at = decision.next_due or now
                deletes = decision.deleting_policy(due_at)
                seen.append(schedule.Coming(row.id, row.tenant, due_at, decision.next_step, deletes))
    schedule.foretell(connection, seen, now={coming.artifact: False for coming in seen})
    schedule.hasten(connection, due)
    schedule.put_if_missing(connection, due)
