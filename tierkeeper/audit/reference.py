"""Writes the types of events from the vocabulary: ``python -m tierkeeper.audit.reference docs/reference/events.md``."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from tierkeeper.audit.payload import Payload, keys
from tierkeeper.audit.vocabulary import VOCABULARY

HEADING = "## Types\n"
INTRODUCTION = """
Written from the vocabulary by `python -m tierkeeper.audit.reference docs/reference/events.md`; do not edit.

A type is found by its subject and its name together: `rebuilt` is two. The last columns are the keys of `before` and
`after`; one with a `?` may be left out, `-` stands for null, and "or" parts what different causes tell.

| type | subject | when | before | after |
| --- | --- | --- | --- | --- |
"""


def types() -> str:
    """Return the section on types, the last one of the page."""
    rows = (
        f"| `{word.type}` | {word.kind} | {_when(word)} | {_side(word, 'before')} | {_side(word, 'after')} |\n"
        for word in VOCABULARY.values()
    )
    return HEADING + INTRODUCTION + "".join(rows)


def written(page: str) -> str:
    """Return the page with its last section replaced by a fresh one."""
    return page[: page.index(HEADING)] + types()


def _when(word: type[Payload]) -> str:
    """Return the class's docstring as one line, for a table's cell."""
    text = " ".join((word.__doc__ or "").split()).removesuffix(".")
    return text[0].lower() + text[1:]


def _side(word: type[Payload], name: str) -> str:
    hint = get_type_hints(word)[name]
    if hint == get_type_hints(Payload)[name]:
        return "-"
    shapes = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return " or ".join(_shape(shape) for shape in shapes)


def _shape(shape: Any) -> str:  # noqa: ANN401  any annotation
    if shape is NoneType:
        return "-"
    if shape == Mapping[str, Any]:
        return "the document"
    return ", ".join(f"`{key}`{'?' * may}" for key, may in keys(shape).items())


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
