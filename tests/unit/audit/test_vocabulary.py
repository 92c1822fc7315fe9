"""The vocabulary of events: complete, documented, and the only place where a type is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tierkeeper.audit.artifacts import ArtifactRebuilt
from tierkeeper.audit.catalog import CatalogRebuilt
from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.reference import written
from tierkeeper.audit.vocabulary import VOCABULARY

ROOT = Path(__file__).parents[3]
PRODUCT = ("tierkeeper", "worker", "tasks", "models", "client/src")
WORDS = frozenset(map(str, EventType))
#: what names or holds a type of event
NAMES = frozenset({"type", "type_", "event", "event_type"})
#: types of several words that name findings as well
FINDINGS = frozenset({"not found", "found again"})


def written_by_hand(source: str) -> Iterator[str]:
    """Types of events that a module writes as text where a type is meant."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=ast.Attribute(attr=name) | ast.Name(id=name), comparators=others) if name in NAMES:
                meant: list[ast.AST] = [each for other in others for each in ast.walk(other)]
            case ast.keyword(arg=name, value=value) if name in NAMES:
                meant = list(ast.walk(value))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in NAMES:
                meant = list(ast.walk(value))
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                meant = [v for k, v in pairs if isinstance(k, ast.Constant) and k.value in NAMES]
            case ast.Constant(value=str() as text) if " " in text and text not in FINDINGS:
                meant = [node]
            case _:
                meant = []
        yield from (each.value for each in meant if isinstance(each, ast.Constant) and each.value in WORDS)


def test_every_type_is_a_word() -> None:
    """Every stored name has a payload class, under its kind of subject, and `rebuilt` has two."""
    assert {type_ for _, type_ in VOCABULARY} == set(EventType)
    assert {kind for kind, _ in VOCABULARY} == set(SubjectKind)
    assert len(VOCABULARY) == len(EventType) + 1 == 45
    assert VOCABULARY[SubjectKind.ARTIFACT, EventType.REBUILT] is ArtifactRebuilt
    assert VOCABULARY[SubjectKind.CATALOG, EventType.REBUILT] is CatalogRebuilt


def test_the_reference_is_that_of_the_vocabulary() -> None:
    """docs/reference/events.md ends with what `python -m tierkeeper.audit.reference` writes."""
    page = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    assert page == written(page)


def test_no_type_is_written_by_hand() -> None:
    """Outside the vocabulary no module writes the type of an event as text."""
    found = {
        (str(path.relative_to(ROOT)), word)
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        if "audit" not in path.parts
        for word in written_by_hand(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "if event.type == 'purged': pass",
        "chosen = type_ in ('purged', other)",
        "Line(subject, type='purged')",
        "event = 'purged' if gone else other",
        "row = {'type': 'purged'}",
        "record(rows, 'epoch raised')",
    ],
)
def test_a_type_by_hand_is_seen(line: str) -> None:
    """The check sees a type in a comparison, as an argument, in an assignment, in a row, and any of several words."""
    assert list(written_by_hand(line))
