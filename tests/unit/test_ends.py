"""Everything that is written has an end, or a reason to stay, and a size: the page about them is complete."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from models.tables import METADATA
from tierkeeper.engine.operations import maintain
from tierkeeper.settings.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/how-to/what-ends-when.md").read_text()
COLUMNS = 4


def ends() -> dict[str, tuple[str, str]]:
    """By table: what the page says about its rows' end, and about their size."""
    section = PAGE.split("## Tables")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]
    assert all(len(row) == COLUMNS for row in rows)
    return {row[0].strip("`"): (row[2], row[3]) for row in rows}


def test_every_table_has_an_end_and_a_size() -> None:
    """A table of the catalog that the page does not name would grow for good; one that it invents is no table."""
    stated = ends()
    assert set(stated) == set(METADATA.tables)
    for table, (end, size) in stated.items():
        assert end, table
        assert any(char.isdigit() for char in size), table


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("`commands_kept` (30 d)", Settings.model_fields["commands_kept"].default),
        ("`runs_kept` (90 d)", Settings.model_fields["runs_kept"].default),
        ("counted only: 7 d", maintain.COUNTED),
        ("refused: 30 d", maintain.DEAD),
    ],
)
def test_the_page_says_how_long(said: str, kept: timedelta) -> None:
    """The times of the page are those of the code."""
    assert said in PAGE
    assert re.findall("[0-9]+", said) == [str(kept.days)]
