"""Text that any database, log and terminal takes."""

import pytest

from tierkeeper.base.errors import ArtifactNotFound
from tierkeeper_client.texts import first_line, one_line, storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain, äöü 雪 😀\n\t", "plain, äöü 雪 😀\n\t"),
        ("a\0b", r"a\x00b"),
        ("caf\udce9", r"caf\xe9"),  # a file's name in Latin-1, as Python reads it
        ("\udc80\udcff", r"\x80\xff"),
        ("\ud83d", r"\ud83d"),
        ("\udc7f\udd00", r"\udc7f\udd00"),
    ],
)
def test_what_cannot_be_stored_is_written_as_an_escape(text: str, stored: str) -> None:
    """NUL and lone surrogates are shown, everything else stays as it is."""
    assert storable(text) == stored
    assert stored.encode().decode() == stored


def test_every_error_can_be_stored() -> None:
    """The message of an error, and its data in an answer, can be written to the catalog whatever they quote."""
    error = ArtifactNotFound(ref="a\0\udcff")
    assert str(error).startswith(r"Artifact a\x00\xff does not exist")
    assert error.as_dict()["ref"] == r"a\x00\xff"


@pytest.mark.parametrize(("text", "first"), [("a\nb", "a"), ("\n  a \r\nb", "a "), ("a", "a"), (" \n", ""), ("", "")])
def test_the_first_line(text: str, first: str) -> None:
    """The first line that is not blank."""
    assert first_line(text) == first


def test_one_line_is_printable_and_bounded() -> None:
    """Line breaks, escapes of terminals and what no database takes leave a line of words; a cut one says so."""
    assert one_line("a\x1b[31m\nb\0 \ud800\tc", most=50) == r"a [31m b\x00 \ud800 c"
    assert one_line("x" * 50, most=10) == "x" * 9 + "…"
