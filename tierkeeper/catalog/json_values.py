"""JSON of the catalog: read so that one value that Python cannot hold does not make a whole result unreadable.

Compared as PostgreSQL compares ``jsonb``.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from models.artifact import DEEPEST, DIGITS, SHORT

_OPENING = ("{", ord("{"))  # of text, of bytes


class UnreadableJson(dict[str, Any]):
    """Stands, empty, for JSON that cannot be read: nested too deep, or with a number of thousands of digits."""


def read_json(text: str | bytes) -> Any:  # noqa: ANN401  any JSON
    """Return the value of a ``jsonb`` column, or :class:`UnreadableJson` for it.

    :data:`tierkeeper.catalog.conditions.UNREADABLE` says the same in SQL.
    """
    try:
        if len(text) == len("{}") and text[0] in _OPENING:  # most tags and metadata: a tenth of the time
            return {}
        if len(text) <= SHORT:
            return json.loads(text)
        value = json.loads(text, parse_int=_bounded(int), parse_float=_bounded(float))
    except (ValueError, RecursionError):
        return UnreadableJson()
    return UnreadableJson() if _deep(value) else value


def equal_json(one: object, other: object) -> bool:
    """Return True if both are the same JSON: ``1`` is ``1.0``, and no ``true``, which Python takes for the number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def shallow(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's metadata as the catalog takes them: nested deeper than it reads, they are kept as text."""
    return {"unreadable": json.dumps(metadata)} if _deep(metadata) else metadata


def _bounded(number: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:  # noqa: ANN401  a number
        if len(text) > DIGITS and len(text.removeprefix("-").partition(".")[0]) > DIGITS:
            raise ValueError(text)
        return number(text)

    return read


def _deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, Mapping | list)
            for child in (node.values() if isinstance(node, Mapping) else node)
        ]
    return bool(level)
