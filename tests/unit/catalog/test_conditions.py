"""Conditions that decide what counts as what: written once, for every statement that counts or claims by them."""

import ast
import re
import runpy
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

import pytest
import sqlalchemy as sa

import tierkeeper.catalog
from tierkeeper.catalog import conditions

CATALOG = Path(tierkeeper.catalog.__path__[0])
MODULES = [path for path in sorted(CATALOG.glob("*.py")) if path.stem not in {"__init__", "conditions"}]
#: the terms of each condition; while a module is run for this test, its constant is the word ``kept`` and the like
KINDS: Mapping[str, frozenset[str]] = {
    "KEPT": frozenset({"spelled kept"}),
    "READABLE": frozenset({"kept", "damaged_at is null"}),
    "DAMAGED": frozenset({"kept", "damaged_at is not null"}),
    "SUSPECT": frozenset({"readable", "missed_at is not null"}),
    "UNVOUCHED": frozenset({"state = 'present'", "vouched is null", "damaged_at is null"}),
    "due": frozenset({"parked_reason is null", "braked_by is null", "due_at <="}),
    "unleased": frozenset({"lease_until is null or"}),
}
#: what the brake weighs has a run's stopped rows too; what it stops of these is due, by one term more
OTHERS: Mapping[str, set[str]] = {"brake_counts": {"due"}}
_BOTH = r"'present', ?'doomed'|'doomed', ?'present'"
_NEITHER = r"'copying', ?'deleting'|'deleting', ?'copying'"
_KEPT = [
    rf"state in \((?:{_BOTH})\)",
    rf"state not in \((?:{_NEITHER})\)",
    rf"state = any ?\(array\[(?:{_BOTH})\]\)",
    r"\(state = '(?:present|doomed)' or state = '(?:present|doomed)'\)",
]
_CLAUSE = re.compile(
    r"\b(?:where|on|having|select|from|order by|group by|limit|offset|returning|set|when|then|else|end|union|for|or)\b"
)


def chains(text: str) -> Iterator[frozenset[str]]:
    """Yield the terms that each chain of ANDs of a statement has, without aliases, in no order."""
    flat = re.sub(r"\s+", " ", re.sub(r"--.*", "", text)).lower()
    flat = re.sub(r"\b[a-z_]\w*\.(?=[a-z_])", "", flat)
    for spelled in _KEPT:
        flat = re.sub(spelled, "spelled kept", flat)
    flat = re.sub(r"lease_until is null or lease_until <=?|lease_until <=? [^()]* or lease_until is null", "§", flat)
    while inner := re.search(r"\(([^()]*)\)", flat):
        alone = _CLAUSE.search(inner[1]) is not None  # an AND in an AND is one chain, anything else its own
        if alone:
            yield from _split(inner[1])
        flat = f"{flat[: inner.start()]}{' @ ' if alone else f' {inner[1]} '}{flat[inner.end() :]}"
    yield from _split(flat)


def _split(flat: str) -> Iterator[frozenset[str]]:
    for chain in _CLAUSE.split(flat):
        terms = {" ".join(term.split()) for term in chain.split(" and ")}
        terms |= {"due_at <=" for term in terms if term.startswith("due_at <=")}
        terms |= {"lease_until is null or" for term in terms if "§" in term}
        if "spelled kept" in terms:
            terms.add("kept")
        yield frozenset(terms)


def kinds(text: str) -> set[str]:
    """Return the names of the conditions that a text spells out."""
    return {name for chain in chains(text) for name, terms in KINDS.items() if terms <= chain}


def texts(value: object) -> Iterator[str]:
    """Yield the statements in a module's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, sa.TextClause):
        yield value.text
    elif isinstance(value, sa.ClauseElement):
        yield str(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from texts(each)
    elif isinstance(value, type) and issubclass(value, Enum):
        for member in value:
            yield from texts(member.value)


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in functions, each f-string as one with the names of what it inserts."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.JoinedStr):
                    parts = [p.value if isinstance(p, ast.Constant) else ast.unparse(p)[2:-1] for p in node.values]
                    yield "".join(str(part).strip("{}") for part in parts)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def spelled_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the conditions that a module spells out, run with words in place of the shared ones."""
    for name in ("KEPT", "READABLE", "DAMAGED", "SUSPECT", "UNVOUCHED"):
        monkeypatch.setattr(conditions, name, name.lower())
    for name in ("due", "unleased"):
        monkeypatch.setattr(conditions, name, lambda _at, name=name: f"is_{name}")
    run = runpy.run_path(str(path), run_name=f"spelled_{path.stem}")
    found = [text for name, value in run.items() if not name.startswith("__") for text in texts(value)]
    return {kind for text in [*found, *literals(ast.parse(path.read_text()))] for kind in kinds(text)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_what_is_counted_is_defined_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other module of the catalog spells out such a condition: two numbers of one name would differ."""
    assert spelled_in(path, monkeypatch) == OTHERS.get(path.stem, set())


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("KEPT", "A = \"SELECT FROM placements p WHERE p.id = 1 AND p.state IN ('doomed','present') LIMIT 1\""),
        ("KEPT", "A = {'q': \"... WHERE (state = 'doomed' OR state = 'present') AND id = 1\"}"),
        ("KEPT", "A = \"... WHERE p.state NOT IN ('deleting', 'copying')\""),
        ("KEPT", "def f(c):\n    c.execute(\"... WHERE state IN ('present', 'doomed')\")"),
        ("READABLE", 'A = f"... WHERE damaged_at IS NULL AND id = 1 AND {KEPT}"'),
        ("DAMAGED", 'A = f"... WHERE p.damaged_at IS NOT NULL AND id = 1 AND {KEPT} ORDER BY id"'),
        ("DAMAGED", "A = \"... WHERE damaged_at IS NOT NULL AND (id = 1 AND state IN ('present', 'doomed'))\""),
        ("SUSPECT", 'A = f"SELECT count(*) FILTER (WHERE missed_at IS NOT NULL AND {READABLE}) FROM placements"'),
        ("UNVOUCHED", "A = \"... WHERE vouched IS NULL AND p.id > 1 AND state = 'present' AND damaged_at IS NULL\""),
        ("UNVOUCHED", "B = \"... WHERE state = 'present' AND damaged_at IS NULL\"\nA = f'{B} AND p.vouched IS NULL'"),
        ("due", 'A = "... WHERE due_at <= :now AND s.braked_by IS NULL AND parked_reason IS NULL"'),
        ("unleased", 'A = "... WHERE id = 1 AND (lease_until <= :now OR lease_until IS NULL)"'),
    ],
)
def test_the_check_sees_any_order(kind: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms are found in any order, behind an alias, in several texts, in functions and in parentheses."""
    path = tmp_path / "module.py"
    path.write_text(f"from tierkeeper.catalog.conditions import *\n{code}\n")
    assert kind in spelled_in(path, monkeypatch)


def test_other_conditions_are_none_of_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names the shared constant, or has terms of it in another alternative, is no finding."""
    path = tmp_path / "module.py"
    path.write_text(
        "from tierkeeper.catalog.conditions import *\n"
        'A = f"SELECT FROM placements WHERE {UNVOUCHED} AND id > 1"\n'
        'B = f"SELECT FROM placements WHERE {KEPT} AND (damaged_at IS NULL OR tier = 1)"\n'
        "C = \"SELECT damaged_at IS NOT NULL FROM placements WHERE state = 'doomed' AND damaged_at IS NULL\"\n"
        "D = f\"SELECT FROM schedule WHERE {due('now()')} AND {unleased('now()')}\"\n"
    )
    assert spelled_in(path, monkeypatch) == set()
