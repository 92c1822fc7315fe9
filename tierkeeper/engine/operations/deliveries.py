"""Messages that may be poison: each attempt is committed before the work begins, and cleared by an outcome.

Only redelivered messages are counted, so one that succeeds at its first delivery costs no row. After
``engine.attempts`` attempts without an outcome (the worker process was killed) the message is parked with its
arguments. A message whose stores are unavailable is kept as well, and sent again after a pause that grows with each
failure.
"""

import hashlib
import json
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.messages import DeliveryParked, DeliveryWaits, KeptMessage, MessagePayload
from tierkeeper.base import callers
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.callers import Caller
from tierkeeper.base.ids import new_id
from tierkeeper.base.quantities import format_count
from tierkeeper.catalog import dead_letters, deliveries, events
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.deliveries import DeliveryRow, DueMessage
from tierkeeper.engine.context import Engine
from tierkeeper.values.parking import DeadLetter, Sent
from tierkeeper_client import texts
from tierkeeper_client.contract import DEAD_LETTER_BYTES

#: seconds until a message whose store is unavailable is sent again: half a minute at first, growing to five minutes
PAUSES: Final = Backoff(first=30.0, cap=300.0, least=0.75, most=1.0)
_LONGEST: Final = 1000  # characters kept of a name that is not validated yet
_KEY: Final = 24  # digits of its hash by which a dead letter is named
_BATCH: Final = 20  # messages sent again at a time: each may be large


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The records of redelivered, waiting and parked messages in the catalog."""

    engine: Engine

    @property
    def limit(self) -> int:
        """Attempts that may end without an outcome before the message is parked: ``engine.attempts``."""
        return self.engine.settings.engine.attempts

    def count(self, sent: Sent) -> DeliveryRow:
        """Count an attempt that begins now, and return the row; committed on return."""
        return self.engine.catalog.run(callers.WORKER, deliveries.count, _described(sent))

    def answered(self, sent: Sent) -> None:
        """Clear the attempts of a message that had an outcome."""
        self.engine.catalog.run(callers.WORKER, deliveries.answered, _described(sent))

    def park(self, sent: Sent, *, reason: str) -> None:
        """Keep the message out of the queues until an operator retries or skips it."""
        self.engine.catalog.run(callers.WORKER, _park_message, sent, reason=reason)

    def wait(self, sent: Sent, *, reason: str) -> None:
        """Keep the message, to be sent again after a pause; its first wait is an event."""
        self.engine.catalog.run(callers.WORKER, _keep_message, sent, reason=reason)

    def refuse(self, letter: DeadLetter) -> bool:
        """Keep a message that a worker refused; return False where there are too many, and it was only counted."""
        row = dead_letters.DeadLetterRow(
            id=new_id(),
            key=letter.sha256.hex()[:_KEY],
            arguments_hash=letter.sha256,
            task=letter.task,
            reason=letter.reason,
            broker=letter.broker,
            queue=letter.queue,
            raw=letter.raw[:DEAD_LETTER_BYTES],
            size=letter.size,
        )
        return self.engine.catalog.run(callers.WORKER, dead_letters.keep, row, tally=new_id())

    def due(self) -> Generator[Sent]:
        """Yield the messages that are due, and lease each for ``broker.visibility_timeout``: a lost one is due again.

        A caller that stops early (the broker refuses a message) leaves that message and the rest of its batch due. One
        that cannot be unpacked is parked.
        """
        catalog, lease = self.engine.catalog, self.engine.settings.broker.visibility_timeout
        longest = timedelta(seconds=PAUSES.cap)
        while batch := catalog.run(callers.WORKER, deliveries.take_due, limit=_BATCH, lease=lease, longest=longest):
            unsent = [row.id for row in batch]
            try:
                for row in batch:
                    message = _unpacked(row)
                    if isinstance(message, Sent):
                        yield message
                    else:
                        catalog.run(callers.WORKER, _park_kept, row.id, reason=message)
                    unsent.remove(row.id)
            finally:
                if unsent:
                    catalog.run(callers.WORKER, deliveries.put_back, unsent)

    def forget(self, *, kept: timedelta, caller: Caller) -> int:
        """Delete the counts of messages not delivered for ``kept``, and parked messages that were done after all."""
        return self.engine.catalog.run(caller, deliveries.forget, kept=kept)

    def end_dead_letters(self, *, kept: timedelta, caller: Caller) -> int:
        """Delete the dead letters that last came longer than ``kept`` ago; return how many."""
        return self.engine.catalog.run(caller, dead_letters.end, kept=kept)


def _park_message(connection: sa.Connection, sent: Sent, *, reason: str) -> None:
    _tell(connection, deliveries.park(connection, _kept(sent), reason=reason), DeliveryParked, reason)


def _keep_message(connection: sa.Connection, sent: Sent, *, reason: str) -> None:
    row = deliveries.wait(connection, _kept(sent), reason=reason, pauses=PAUSES)
    if row is not None and row.failures == 1:
        _tell(connection, row, DeliveryWaits, reason)


def _park_kept(connection: sa.Connection, id_: UUID, *, reason: str) -> None:
    _tell(connection, deliveries.park_kept(connection, id_, reason=reason), DeliveryParked, reason)


def _unpacked(row: DueMessage) -> Sent | str:
    """Return the message as it was kept, or why it cannot be sent."""
    try:
        arguments = json.loads(zlib.decompress(row.arguments))
    except (zlib.error, ValueError, RecursionError) as error:
        return f"what was kept of it cannot be unpacked: {texts.storable(str(error))[:_LONGEST]}"
    if not isinstance(arguments, dict) or not isinstance(row.headers, dict):
        return "its arguments or headers, as they were kept, are no object"
    return Sent(row.task, row.key, arguments, row.headers)


def _tell(
    connection: sa.Connection,
    row: DeliveryRow | None,
    event: type[DeliveryParked] | type[DeliveryWaits],
    reason: str,
) -> None:
    if row is not None:
        payload = event(after=KeptMessage(task=row.task, key=row.key, reason=reason))
        events.append(connection, [line(row, payload, caller=callers.WORKER)], at=catalog_now(connection))


def line(row: DeliveryRow, payload: MessagePayload, *, caller: Caller) -> events.Line:
    """Return the event line for a changed delivery, at its row's current revision."""
    return events.Line(
        subject=row.id,
        revision=row.revision,
        payload=payload,
        actor=caller.actor,
        tenant=row.tenant or None,
        workflow=row.workflow,
        name=row.name,
        correlation=row.key,
    )


def _described(sent: Sent) -> dict[str, Any]:
    """Return what identifies the message: key, hash, and the names in its arguments as far as they can be read."""
    first = sent.arguments
    items = first.get("items")
    if isinstance(items, list) and items and isinstance(items[0], Mapping):
        first = items[0]
    return {
        "id": new_id(),
        "key": sent.key.replace("\0", ""),
        "arguments_hash": hashlib.sha256(sent.task.encode() + b"\0" + _encoded(sent)).digest(),
        "task": sent.task,
        "tenant": _text(first.get("tenant")) or "",
        "workflow": None if items else _text(first.get("workflow")),
        "name": format_count(len(items), "item") if isinstance(items, list) else _text(first.get("name")),
    }


def _kept(sent: Sent) -> dict[str, Any]:
    """Return the whole message, so that it can be sent again."""
    return {
        **_described(sent),
        "arguments": zlib.compress(_encoded(sent)),
        "headers": json.dumps(dict(sent.headers)),
        "staged": list(_staged(sent.arguments)),
    }


def _encoded(sent: Sent) -> bytes:
    return json.dumps(dict(sent.arguments), sort_keys=True, separators=(",", ":"), default=str).encode()


def _staged(arguments: Mapping[str, Any]) -> Iterator[UUID]:
    items = arguments.get("items")
    for item in items if isinstance(items, list) else [arguments]:
        content = item.get("content") if isinstance(item, Mapping) else None
        if isinstance(content, Mapping) and content.get("kind") == "staged":
            with suppress(ValueError):
                yield UUID(str(content.get("name")))


def _text(value: object) -> str | None:
    """Return an unvalidated value in a form that the catalog can hold."""
    return None if value is None else str(value).encode(errors="replace").decode().replace("\0", "")[:_LONGEST]
