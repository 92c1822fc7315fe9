"""Copies of a blob as the catalog has them, without a catalog."""

from datetime import UTC, datetime

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import PlacementState, Vouched
from tierkeeper.catalog.rows import PlacementRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BLOB, TOKEN = new_id(), new_id()


def copy(tier: str, state: PlacementState = PlacementState.PRESENT) -> PlacementRow:
    """A copy of the blob."""
    intent = state is PlacementState.COPYING
    return PlacementRow(
        id=new_id(),
        blob_id=BLOB,
        artifact_id=None,
        tier=tier,
        location=str(new_id()),
        state=state,
        token=TOKEN,
        lease_until=NOW,
        store_version=None,
        stored_size=None if intent else 1,
        stored_sha256=None if intent else bytes(32),
        cipher=None,
        wrapped_key=None,
        key_id=None,
        compression=None,
        locked_until=None,
        placed_by=None,
        made_at=NOW,
        damaged_at=None,
        doomed_at=NOW if state is PlacementState.DOOMED else None,
        delete_after=NOW if state is PlacementState.DOOMED else None,
        name_purged=False,
        vouched=None if intent else Vouched.WRITTEN,
        pin=None,
        missed_at=None,
    )
