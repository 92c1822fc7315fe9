"""The JSON form of every kind of value."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import pytest

from tierkeeper.values.plain import plain

Colour = Enum("Colour", [("RED", 1)])
Word = StrEnum("Word", [("A", "a")])
Text = type("Text", (str,), {})


class Pair(NamedTuple):
    """A tuple with names."""

    first: bytes
    second: list[datetime]


@dataclass(frozen=True, slots=True)
class Inner:
    """A dataclass with slots."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Outer(Inner):
    """One that inherits, with others in it."""

    inner: Inner
    words: frozenset[str]


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TEXT = "2026-01-02T12:00:00+00:00"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("x", "x"),
        (Text("x"), "x"),
        (Colour.RED, 1),
        (Word.A, "a"),
        (b"\x01\xff", "01ff"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (NOON, TEXT),
        (timedelta(minutes=1), 60.0),
        (date(2026, 1, 2), date(2026, 1, 2)),
        (Pair(b"a", [NOON]), ["61", [TEXT]]),
        ({2: Colour.RED}, {"2": 1}),
        (OrderedDict(a=b"a"), {"a": "61"}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({"b", "a"}, ["a", "b"]),
        (Outer(NOON, Inner(NOON), frozenset("ba")), {"at": TEXT, "inner": {"at": TEXT}, "words": ["a", "b"]}),
        (Inner, Inner),
    ],
)
def test_each_kind_has_its_form(value: object, form: object) -> None:
    """Dataclasses with their fields, enums with their value, sets in order; what JSON has, and a type, as it is."""
    assert plain(value) == form
    assert type(plain(value)) is type(form) or isinstance(value, Text)
