"""JSON is compared as ``jsonb`` is."""

import pytest

from tierkeeper.catalog.json_values import equal_json


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1}, {"a": True}, False),
        ({"a": [0, {"b": False}]}, {"a": [0, {"b": 0}]}, False),
        ({"a": [False]}, {"a": [False]}, True),
        ({"a": 1, "b": None}, {"b": None, "a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"a": [1]}, {"a": [1, 1]}, False),
        ({"a": "1"}, {"a": 1}, False),
    ],
)
def test_numbers_are_no_booleans(one: object, other: object, equal: bool) -> None:  # noqa: FBT001  a parameter of pytest
    """At any depth; the order of keys, and how a number is written, do not count."""
    assert equal_json(one, other) is equal
    assert equal_json(other, one) is equal
