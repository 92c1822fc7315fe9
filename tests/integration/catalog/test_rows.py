"""Rows are read by place: the columns of each query come in the order of the fields."""

from dataclasses import fields

import pytest
import sqlalchemy as sa
from support.house import House

from tierkeeper.catalog import artifacts, placements, schedule
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (f"SELECT {artifacts.COLUMNS} {artifacts.FROM}", [field.name for field in fields(ArtifactRow)]),
        (f"SELECT {placements.COLUMNS} FROM placements p", [field.name for field in fields(PlacementRow)]),  # noqa: S608  our own constant
        (f"SELECT {schedule.LOCKED_COLUMNS} FROM schedule", list(schedule.LockedEntry._fields)),  # noqa: S608  as above
    ],
)
def test_columns_come_in_the_order_of_the_fields(house: House, query: str, names: list[str]) -> None:
    """A column too many, too few or in another place would be read as its neighbour."""
    with house.keeper.engine.catalog.reading() as connection:
        assert list(connection.execute(sa.text(query)).keys()) == names
