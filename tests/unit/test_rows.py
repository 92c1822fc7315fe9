"""Rows of the requirements: marks name rows that there are, and `make rows` tells what became of the tests."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import rows
from support.row_results import Result
from support.rows import Row, UnknownRow

TESTS = Path(__file__).parents[1]
#: tests as they may stand in a folder
FOLDER = """
import pytest

@pytest.mark.row("B5", "one")
@pytest.mark.row("B6")
def test_good(): pass

@pytest.mark.row("B5", "in bulk")
@pytest.mark.parametrize("number", [1, 2])
def test_half(number): assert number == 1

@pytest.mark.row("B5")
def test_absent(): pytest.skip("no server")

@pytest.fixture
def broken(): raise OSError

@pytest.mark.row('B6')
def test_end(broken): pass

@pytest.mark.row("B7")
def test_other_row(): pass

def test_without_a_row(): pass
"""


def marks() -> Iterator[tuple[Path, str, ast.Call]]:
    """Every mark of a row in the tests: the file, what it stands on, and the mark."""
    for path in sorted(TESTS.rglob("*.py")):
        if path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.row"):
                yield path, ast.unparse(node), node


def test_marks_name_rows_that_there_are() -> None:
    """A mark has the id of a row and perhaps a clause, as literals; its file is found by it."""
    there = rows.table()
    found = list(marks())
    assert len(found) > 40
    for path, text, mark in found:
        words = [ast.literal_eval(each) for each in mark.args]
        assert words[0] in there, (path, text)
        assert all(words), (path, text)
        assert (len(words) <= 2, mark.keywords) == (True, []), (path, text)
        assert path in rows.carriers(TESTS, [words[0]]), (path, text)


def test_rows_have_ids_of_their_own() -> None:
    """The table of the requirements has every row once, in the order of its part's numbers."""
    found = rows._ROW.findall(rows.REQUIREMENTS.read_text())
    assert len(found) == len(dict(found)) > 80
    for part in {each[0] for each, _ in found}:
        numbers = [int(each[1:]) for each, _ in found if each[0] == part]
        assert numbers == list(range(1, len(numbers) + 1)), part


@pytest.mark.parametrize(("words", "ids"), [("", ["A1", "B5"]), ("B5", ["B5"]), ("B5, A1", ["B5", "A1"])])
def test_rows_are_chosen(words: str, ids: list[str]) -> None:
    """By their ids, with commas or blanks between them; else all are."""
    assert rows.chosen(words, {"A1": "x", "B5": "y"}) == ids


def test_a_row_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named in a message of one line, nothing runs, and the exit code is 2."""
    with pytest.raises(UnknownRow, match="B99, X1"):
        rows.chosen("B5,B99,X1", rows.table())
    assert rows.main(["--rows", "B99"]) == 2
    assert capsys.readouterr().err.startswith("UnknownRow: There is no row B99.")


def test_what_became_of_the_tests_is_told(tmp_path: Path) -> None:
    """Only the tests of the chosen rows run; each has its outcome, a skip its reason, a broken fixture fails."""
    (tmp_path / "test_them.py").write_text(FOLDER)
    (tmp_path / "test_none.py").write_text("raise RuntimeError  # pytest.mark.row of none\n")
    well, results = rows.run(tmp_path, ["B5", "B6"], jobs=2)
    assert not well
    told = {each.test.partition("::")[2]: (each.outcome, each.reason, each.rows) for each in results}
    assert told == {
        "test_good": ("passed", "", [["B5", "one"], ["B6"]]),
        "test_half[1]": ("passed", "", [["B5", "in bulk"]]),
        "test_half[2]": ("failed", "", [["B5", "in bulk"]]),
        "test_absent": ("skipped", "no server", [["B5"]]),
        "test_end": ("failed", "", [["B6"]]),
    }
    well, results = rows.run(tmp_path, ["B7"], jobs=1)
    assert (well, [each.outcome for each in results]) == (True, ["passed"])
    assert rows.run(tmp_path, ["A1"], jobs=1) == (True, [])


def test_a_row_is_one_line() -> None:
    """It has the id, the text, what became of its tests, and their names with the clauses that they show."""
    results = [
        Result("tests/a.py::test_one[x]", [["B5", "one"], ["B6"]]),
        Result("tests/a.py::test_one[y]", [["B5", "one"], ["B6"]], "failed"),
        Result("tests/b.py::test_all", [["B5"]], "skipped", "no server"),
    ]
    row = Row("B5", "Restore: " + "all of it, " * 20, results)
    assert row.result == "1 passed, 1 failed, 1 skipped: no server"
    assert row.tests == {"tests/a.py::test_one": ["one"], "tests/b.py::test_all": []}
    line = row.line()
    assert line.startswith("B5  | Restore: all of it")
    assert line.endswith(f"… | {row.result} | tests/a.py::test_one (one); tests/b.py::test_all")
    assert json.loads(json.dumps(row.document()))["row"] == row.text
    assert Row("A1", "Short", []).line().endswith(" | none")
