"""Whether bytes that were listed belong to no placement: a table."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.inventory import Copy
from tierkeeper.catalog.quarantine import Orphan
from tierkeeper.engine.reconcile.orphans import without_placement

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = Orphan("warm", "where", None, 1, NOW, NOW, None)
SECOND = replace(PLAIN, version="v2")


def placed(state: PlacementState, version: str | None) -> Copy:
    """A placement at the orphan's location."""
    return Copy(new_id(), new_id(), "where", state, version, 1, None, damaged=False, missed_at=None)


@pytest.mark.parametrize(
    ("orphan", "copy", "without"),
    [
        (PLAIN, None, True),
        (SECOND, None, True),
        # a key without a version names every version, the placement's own too
        (PLAIN, placed(PlacementState.PRESENT, None), False),
        (PLAIN, placed(PlacementState.PRESENT, "v1"), False),
        # a version beside the placement's own
        (SECOND, placed(PlacementState.PRESENT, "v1"), True),
        (SECOND, placed(PlacementState.DOOMED, "v1"), True),
        # the placement's own
        (SECOND, placed(PlacementState.PRESENT, "v2"), False),
        # which version is its own is not known
        (SECOND, placed(PlacementState.PRESENT, None), False),
        # what is still written, or deleted by collect, may be that version
        (SECOND, placed(PlacementState.COPYING, "v1"), False),
        (SECOND, placed(PlacementState.DELETING, "v1"), False),
    ],
)
def test_without_placement(orphan: Orphan, copy: Copy | None, *, without: bool) -> None:
    """Only bytes without a row at their location, or another version than that of a row that has bytes."""
    assert without_placement(orphan, copy) is without
