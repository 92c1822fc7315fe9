"""The position of an event, as text and back."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierkeeper.audit.position import Position
from tierkeeper.base.errors import InvalidPosition

SUBJECT = "01890a5d-ac96-774b-bcce-b302099a8057"

POSITIONS = st.builds(
    Position,
    cluster=st.from_regex(r"d?[0-9]{1,20}-[0-9]{1,10}", fullmatch=True),
    xid=st.integers(0, 2**64 - 1),
    subject=st.uuids(),
    revision=st.integers(0, 2**63 - 1),
)


@given(POSITIONS)
def test_a_position_is_read_back(position: Position) -> None:
    """What a reader keeps as text is the same position again."""
    assert Position.read(str(position)) == position


def test_how_it_is_written() -> None:
    """Cluster, transaction, subject and revision stand in it, with dots between: nothing that a URL would escape."""
    text = str(Position("7423-1", 48213, UUID(SUBJECT), 3))
    assert text == f"7423-1.48213.{SUBJECT}.3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7423-1",
        f"7423-1.48213.{SUBJECT}",
        f"7423-1.-1.{SUBJECT}.3",
        f"7423-1.48213.{SUBJECT}.3 ",
        f"7423/1.48213.{SUBJECT}.3",
        f"7423-1.{2**64}.{SUBJECT}.3",
        f"7423-1.48213.{SUBJECT}.{2**63}",
        f"7423-1.48213.{'-' * 36}.3",
    ],
)
def test_what_is_no_position(text: str) -> None:
    """Anything else is refused by an error that says so and what to do."""
    with pytest.raises(InvalidPosition, match="Read from the beginning"):
        Position.read(text)
