"""The ends of what would grow for good: commands, staged uploads, skipped messages, approvals that were not given.

A command protects from its own message: found again, it answers a repeated delivery, which would else be carried out
once more, on what has the name by then. So it ends only where its message cannot come: ``commands_kept`` after it was
written, not by the clock but by the queues. The canaries say how far they are: all that was published before the last
one that came through has come through too, what a dead worker had taken has been given out again, because canaries came
without a break for twice ``broker.visibility_timeout``, and for commands :data:`_FLOWING` more. Where a queue's
canaries do not come, no command ends.

A staged upload is what its message is about. So it ends by the queues too: unclaimed, once each is past what was
published ``messages.max_age`` after the upload was found, because a worker may hold a message for so long until its
time of execution.
"""

import time
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import command_ends, deliveries, heartbeats, runs
from tierkeeper.catalog.database import clocks
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import bulk
from tierkeeper.settings import order
from tierkeeper.settings.settings import Settings
from tierkeeper_client.contract import Queue

_FLOWING: Final = timedelta(days=1)
_SECONDS: Final = 30.0  # of one maintain; the next continues


def end_commands(engine: Engine, *, caller: Caller) -> tuple[int, bool]:
    """End the commands that may end; return how many, and False where some queue does not let any end."""
    with engine.catalog.reading() as connection:
        passed = _passed(connection, engine.settings, flowing=_FLOWING)
    ended = 0
    if passed is None:
        return ended, False
    before = passed - engine.settings.commands_kept
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        some = engine.catalog.run(caller, command_ends.end, before=before)
        if some is None:
            break
        ended += some
    return ended, True


def needed_no_more(engine: Engine) -> datetime | None:
    """Return the time that both clocks and all queues are past: of messages published before, none comes any more.

    None where some queue does not tell how far it is.
    """
    with engine.catalog.reading() as connection:
        passed = _passed(connection, engine.settings)
        return None if passed is None else min(passed, clocks(connection).earlier)


def _passed(connection: sa.Connection, settings: Settings, *, flowing: timedelta = timedelta(0)) -> datetime | None:
    """Return the time up to which all messages came through, also those that a dead worker had; None: not known."""
    apart, quiet = order.unbroken(settings.broker), flowing + 2 * settings.broker.visibility_timeout
    return heartbeats.reached(connection, [queue.value for queue in Queue], apart=apart, quiet=quiet)


def end_unasked(engine: Engine, *, caller: Caller) -> int:
    """Delete the runs of braked commands and reconciles that did not come again for ``runs_kept``; return how many.

    Given once more after that, such a command asks for an approval again, and so does a reconcile that finds too much.
    """
    return engine.catalog.run(caller, runs.end_unasked, waits=bulk.WAITS_FOR_COMMAND, kept=engine.settings.runs_kept)


def end_skipped(engine: Engine, *, caller: Caller) -> int:
    """Delete the messages that an operator skipped longer than ``commands_kept`` ago; return how many."""
    return engine.catalog.run(caller, deliveries.end_skipped, kept=engine.settings.commands_kept)
