"""Copies with right bytes whose recorded pin is no longer valid: another tool moved or rewrote the objects.

Their bytes were read whole without the pin (R18), or compared by the server's SHA-256 of the whole where a read would
need a thaw. That vouches for them, and they get the pin of that answer.
Until then no server-side copy can be made from them, and no range of them can be read.
"""

import sqlalchemy as sa

from tierkeeper.audit.artifacts import CopyRepinned, NamedCopy, RenamedCopy
from tierkeeper.base import callers
from tierkeeper.base.states import Vouched
from tierkeeper.catalog import artifacts, blobs, placements
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.record import record

_TOLD = 100  # at most so many artifacts of the content get the event


def note(engine: Engine, copy: PlacementRow, *, pin: str | None, vouched: Vouched) -> bool:
    """Record the new pin of a copy whose bytes were just read, or compared by its server, and are right; with an event.

    False where that says nothing of this copy: the place is not confirmed to be the tier's own (R19), or the copy is
    damaged or being deleted.
    """
    if engine.refused([copy.tier]):
        return False
    return engine.catalog.run(callers.TIERKEEPER, _repin_copy, copy, pin=pin, vouched=vouched)


def _repin_copy(connection: sa.Connection, copy: PlacementRow, *, pin: str | None, vouched: Vouched) -> bool:
    blobs.lock(connection, [copy.blob_id])
    current = placements.load(connection, [copy.id])
    if not current or not current[0].readable:
        return False
    if current[0].pin != copy.pin:
        return True  # another process recorded a pin first
    owners = artifacts.some_counted(connection, [copy.blob_id], limit=_TOLD)
    rows = artifacts.lock(connection, [artifact for artifact, _ in owners])
    now = catalog_now(connection)
    placements.repin(connection, copy.id, pin=pin, vouched=vouched, now=now)
    payload = CopyRepinned(
        before=NamedCopy(tier=copy.tier, location=copy.location, pin=copy.pin),
        after=RenamedCopy(pin=pin, vouched=vouched),
    )
    record(connection, rows, payload, now=now, caller=callers.TIERKEEPER)
    return True
