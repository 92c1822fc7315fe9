"""Copies whose bytes are right, and whose pin is not theirs any more: another tool moved the bucket, or wrote it anew.

Their bytes were read whole without the pin (R18), or their server says the SHA-256 of the whole where they would be
thawed for that, so they are vouched for by that, and named by the pin of that read.
Until then no copy by a server can be made from them, and no range is read.
"""

import sqlalchemy as sa

from tierkeeper.audit.artifacts import CopyRepinned, NamedCopy, RenamedCopy
from tierkeeper.base import callers
from tierkeeper.base.states import Vouched
from tierkeeper.catalog import artifacts, blobs, placements
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.record import record

_TOLD = 100  # artifacts of the content that are told


def note(engine: Engine, copy: PlacementRow, *, pin: str | None, vouched: Vouched) -> bool:
    """Note that a copy's bytes are right, as was just read or said by its server, under another pin, and tell it.

    False where that says nothing of this copy: the place is not the tier's own (R19), or the copy is damaged or going.
    """
    if engine.refused([copy.tier]):
        return False

    def unit(connection: sa.Connection) -> bool:
        blobs.lock(connection, [copy.blob_id])
        now = catalog_now(connection)
        current = placements.load(connection, [copy.id])
        if not current or not current[0].readable:
            return False
        if current[0].pin != copy.pin:
            return True  # somebody else was faster
        placements.repin(connection, copy.id, pin=pin, vouched=vouched, now=now)
        owners = artifacts.some_counted(connection, [copy.blob_id], limit=_TOLD)
        rows = artifacts.lock(connection, [artifact for artifact, _ in owners])
        payload = CopyRepinned(
            before=NamedCopy(tier=copy.tier, location=copy.location, pin=copy.pin),
            after=RenamedCopy(pin=pin, vouched=vouched),
        )
        record(connection, rows, payload, now=now, caller=callers.TIERKEEPER)
        return True

    return engine.catalog.run(unit)
