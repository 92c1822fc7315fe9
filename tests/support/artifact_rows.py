"""An artifact as the catalog has it, without a catalog."""

from datetime import UTC, datetime

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog.rows import ArtifactRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = ArtifactRow(
    id=new_id(),
    name_id=new_id(),
    tenant="acme",
    workflow="w",
    name="a",
    version=1,
    blob_id=new_id(),
    sha256=bytes(32),
    size=1,
    content_type="text/plain",
    metadata={},
    tags={"b": "2", "a": "1"},
    created_at=NOW,
    stored_at=NOW,
    accessed_at=None,
    policy_id=None,
    state=ArtifactState.LIVE,
    wanted=frozenset({"hot"}),
)
