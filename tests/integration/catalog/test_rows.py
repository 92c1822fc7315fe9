"""Rows are read by place: the columns of each query come in the order of the fields."""

from dataclasses import fields

import pytest
import sqlalchemy as sa
from integration.keeper.house import House

from tierkeeper.catalog import artifacts, placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow


@pytest.mark.parametrize(
    ("query", "row"),
    [
        (f"SELECT {artifacts.COLUMNS} {artifacts.FROM}", ArtifactRow),
        (f"SELECT {placements.COLUMNS} FROM placements p", PlacementRow),  # noqa: S608  our own constant
    ],
)
def test_columns_come_in_the_order_of_the_fields(house: House, query: str, row: type) -> None:
    """A column too many, too few or in another place would be read as its neighbour."""
    with house.keeper.engine.catalog.reading() as connection:
        columns = list(connection.execute(sa.text(query)).keys())
    assert columns == [field.name for field in fields(row)]
