"""Messages that may be poison: an attempt is counted and committed before the work, and given back with its outcome.

Only what the broker delivers again is counted, so a message that ends well costs nothing here. After so many attempts
that ended in silence (a worker process that was killed) it is parked with its arguments. A message whose stores are
away is kept as well, and sent again later: the longer it fails, the later.
"""

import functools
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
from tierkeeper.catalog import deliveries, events
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.deliveries import DeliveryRow
from tierkeeper.engine.context import Engine
from tierkeeper.values.parking import Sent

#: a message whose store is away is sent again after half a minute, then later, and at most every five
PAUSES: Final = Backoff(first=30.0, cap=300.0, least=0.75, most=1.0)
_LONGEST: Final = 1000  # characters of a name, which was not checked yet
_BATCH: Final = 20  # messages sent again at a time: each may be large


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The catalog's part in what happens to a message."""

    engine: Engine

    @property
    def limit(self) -> int:
        """How many attempts may end in silence."""
        return self.engine.settings.engine.attempts

    def count(self, sent: Sent) -> DeliveryRow:
        """Count an attempt that begins now; committed when this returns."""
        return self.engine.catalog.run(lambda connection: deliveries.count(connection, _described(sent)))

    def answered(self, sent: Sent) -> None:
        """Give the attempts back: the message had an outcome."""
        self.engine.catalog.run(lambda connection: deliveries.answered(connection, _described(sent)))

    def park(self, sent: Sent, *, reason: str) -> None:
        """Take it out of the queues until an operator retries or skips it."""

        def unit(connection: sa.Connection) -> None:
            _tell(connection, deliveries.park(connection, _kept(sent), reason=reason), DeliveryParked, reason)

        self.engine.catalog.run(unit)

    def wait(self, sent: Sent, *, reason: str) -> None:
        """Keep it, to be sent again after a while; the first time is an event."""

        def unit(connection: sa.Connection) -> None:
            row = deliveries.wait(connection, _kept(sent), reason=reason, pauses=PAUSES)
            if row is not None and row.failures == 1:
                _tell(connection, row, DeliveryWaits, reason)

        self.engine.catalog.run(unit)

    def due(self) -> Generator[Sent]:
        """Yield what is to be sent again now; a message that is lost then is due again after its visibility.

        Who stops in the middle, because the broker does not take one, leaves it and the others due.
        """
        catalog, lease = self.engine.catalog, self.engine.settings.broker.visibility_timeout
        while batch := catalog.run(lambda c: deliveries.take_due(c, limit=_BATCH, lease=lease)):
            left = [one.id for one in batch]
            try:
                for one in batch:
                    yield Sent(one.task, one.key, json.loads(zlib.decompress(one.arguments)), one.headers)
                    left.remove(one.id)
            finally:
                if left:
                    catalog.run(functools.partial(deliveries.put_back, ids=left))

    def forget(self, *, kept: timedelta) -> int:
        """Forget what nobody will hear of again."""
        return self.engine.catalog.run(lambda connection: deliveries.forget(connection, kept=kept))


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
    """Return the event of a change of a delivery, at the revision that its row has."""
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
    """Who it is: key, hash, and the names in its arguments, as far as they can be read."""
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
        "name": f"{len(items)} items" if isinstance(items, list) else _text(first.get("name")),
    }


def _kept(sent: Sent) -> dict[str, Any]:
    """All of it, to send it again."""
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
    for one in items if isinstance(items, list) else [arguments]:
        content = one.get("content") if isinstance(one, Mapping) else None
        if isinstance(content, Mapping) and content.get("kind") == "staged":
            with suppress(ValueError):
                yield UUID(str(content.get("name")))


def _text(value: object) -> str | None:
    """Return a value as the catalog can hold it: it was not checked yet."""
    return None if value is None else str(value).encode(errors="replace").decode().replace("\0", "")[:_LONGEST]
