"""Content and stored forms, compared with what was found."""

import pytest

from tierkeeper.base.content import PLAIN, Content, Encoding, StoredForm

CONTENT = Content(bytes(32), 5)
NOTED = StoredForm("x", size=5, sha256=bytes(32))
NEVER = StoredForm("x")


@pytest.mark.parametrize("expected", [CONTENT, NOTED])
def test_a_difference_is_told_in_words(expected: Content | StoredForm) -> None:
    """The size is told first, then the hash; what is not known is not compared."""
    assert expected.difference(size=5, sha256=bytes(32)) == ""
    assert expected.difference(size=4, sha256=b"x" * 32) == "it has 4 bytes, not 5"
    assert expected.difference(size=5, sha256=b"x" * 32) == f"its SHA-256 is {'78' * 32}, not {'00' * 32}"
    assert expected.difference(sha256=b"x" * 32).startswith("its SHA-256")
    assert expected.difference(size=5, sha256=None) == ""


def test_what_was_never_noted_is_not_compared() -> None:
    """A form of which neither size nor hash was noted differs from nothing."""
    assert NEVER.difference(size=4, sha256=b"x" * 32) == ""


def test_the_plain_form_is_the_whole_object() -> None:
    """By default a form is the content, as an object of its own; a part of an object is not whole."""
    assert NEVER.encoding == PLAIN == Encoding()
    assert NEVER.whole
    assert not StoredForm("x", offset=1).whole
    assert not StoredForm("x", length=1).whole
