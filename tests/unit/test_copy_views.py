"""A copy as users see it: in doubt and suspect by the conditions that the catalog counts by."""

from datetime import UTC, datetime

import pytest

from tierkeeper.base.states import PlacementState
from tierkeeper.values.artifacts import PlacementView

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("state", PlacementState)
@pytest.mark.parametrize("damaged", [None, NOW])
def test_views_count_as_the_catalog_does(state: PlacementState, damaged: datetime | None) -> None:
    """Only a present copy is in doubt, as verify reads no doomed one; a suspect can be doomed, but not damaged."""
    view = PlacementView("hot", state, "a", 1, NOW, damaged_at=damaged, missed_at=NOW)
    assert view.in_doubt is (state is PlacementState.PRESENT and damaged is None)
    assert view.suspect is (state in {PlacementState.PRESENT, PlacementState.DOOMED} and damaged is None)
