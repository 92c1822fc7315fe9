"""What is said of a name that no artifact can have."""

import pytest

from tierkeeper_client.errors import InvalidName
from tierkeeper_client.identifiers import check_name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("w/کش\u200cکش.txt", "character 3 of 'کش<200C>کش.txt' is U+200C (ZERO WIDTH NON-JOINER)"),
        ("a\u200db", "character 2 of 'a<200D>b' is U+200D (ZERO WIDTH JOINER)"),
        ("a\u00adb", "character 2 of 'a<00AD>b' is U+00AD (SOFT HYPHEN)"),
        ("a\x1b[31m", "character 2 of 'a<001B>[31m' is U+001B (a control character"),
        ("a\u0378", "character 2 of 'a<0378>' is U+0378 (a control character, or none that is assigned)"),
        ("a\\b\tc", r"it has '\\'; character 4 of 'a\\b<0009>c' is U+0009"),
        ("w/ab\udcff", "character 3 is not valid Unicode (a lone surrogate)"),
    ],
)
def test_what_cannot_be_seen_is_named(name: str, words: str) -> None:
    """A character that is invisible is named with its place: nothing else would tell what to leave out."""
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert words in str(caught.value)
