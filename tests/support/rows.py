"""`make rows`: runs the tests that carry a row of the requirements, and prints each row with them and their result.

A row without a test says "none". The exit code is 1 if a test failed or could not be run, 2 if there is no such row.
"""

# ruff: noqa: T201  a script that prints a table

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import row_results
from support.row_results import Result

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "docs" / "reference" / "requirements.md"
_ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+) \|$", re.MULTILINE)
_MARK = re.compile(r"""\bmark\.row\(\s*["']([A-Z]\d+)["']""")
_TEXT = 60  # characters of a row in the table; JSON has all of them
_NO_TEST_FAILED = (0, 5)  # pytest's exit codes; 5: there was none to run


class UnknownRow(Exception):  # noqa: N818  it states the fact
    """There is no such row."""

    def __init__(self, ids: Iterable[str]) -> None:
        super().__init__(
            f"There is no row {', '.join(ids)}. {REQUIREMENTS.relative_to(ROOT)} lists those that there are."
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the requirements, and what became of the tests that carry it."""

    id: str
    text: str
    results: Sequence[Result]

    @property
    def result(self) -> str:
        """How many of its tests passed, failed, were skipped and why; or that it has none."""
        counts = Counter(each.outcome for each in self.results)
        parts = [f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed") if counts[outcome]]
        if counts["skipped"]:
            reasons = sorted({each.reason for each in self.results if each.outcome == "skipped"})
            parts.append(f"{counts['skipped']} skipped: {'; '.join(reasons)}")
        return ", ".join(parts) or "none"

    @property
    def tests(self) -> dict[str, list[str]]:
        """The clauses that each of its tests shows, by the test's name without parameters; none for the whole row."""
        found: dict[str, list[str]] = {}
        for each in self.results:
            clauses = found.setdefault(each.test.partition("[")[0], [])
            clauses += [mark[1] for mark in each.rows if mark[0] == self.id and mark[1:] and mark[1] not in clauses]
        return found

    def line(self) -> str:
        """The row as one line of a table."""
        text = self.text if len(self.text) <= _TEXT else f"{self.text[: _TEXT - 1]}…"
        tests = [f"{name} ({', '.join(clauses)})" if clauses else name for name, clauses in self.tests.items()]
        return " | ".join([f"{self.id:<3}", f"{text:<{_TEXT}}", self.result, *(["; ".join(tests)] if tests else [])])

    def document(self) -> dict[str, object]:
        """The row as JSON has it."""
        return {"id": self.id, "row": self.text, "result": self.result, "tests": self.tests}


def table(requirements: Path = REQUIREMENTS) -> dict[str, str]:
    """Return the text of every row by its id, in their order."""
    return dict(_ROW.findall(requirements.read_text()))


def chosen(words: str, there: Mapping[str, str]) -> list[str]:
    """Return the ids that ``words`` names, with commas or blanks between them, or all. Raises UnknownRow."""
    ids = re.split(r"[,\s]+", words.strip()) if words.strip() else list(there)
    if unknown := [each for each in ids if each not in there]:
        raise UnknownRow(unknown)
    return ids


def carriers(tests: Path, ids: Iterable[str]) -> list[Path]:
    """Return the test files below a folder in which one of the rows is named by a mark."""
    wanted = set(ids)
    return [path for path in sorted(tests.rglob("test_*.py")) if wanted & set(_MARK.findall(path.read_text()))]


def run(tests: Path, ids: Sequence[str], *, jobs: int) -> tuple[bool, list[Result]]:
    """Run the tests that carry one of the rows; return whether all went well, and what became of each.

    What pytest prints goes to stderr.
    """
    files = carriers(tests, ids)
    if not files:
        return True, []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        plugin = ["-p", row_results.__name__, f"--rows={','.join(ids)}", f"--rows-report={report}"]
        parallel = ["-n", str(jobs), "--dist", "loadfile"] if jobs > 1 else []
        command = [sys.executable, "-m", "pytest", "-q", *plugin, *parallel, *map(str, files)]
        path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr, check=False)
        return done.returncode in _NO_TEST_FAILED, row_results.read(report)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="make rows", description=__doc__)
    parser.add_argument("--rows", default="", metavar="B5,B6", help="the rows; all of them if none is named")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--jobs", type=int, default=1, help="files of tests at once")
    options = parser.parse_args(arguments)
    there = table()
    try:
        ids = chosen(options.rows, there)
    except UnknownRow as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    well, results = run(ROOT / "tests", ids, jobs=options.jobs)
    rows = [Row(row, there[row], [each for each in results if row in {mark[0] for mark in each.rows}]) for row in ids]
    if options.output == "json":
        print(json.dumps([row.document() for row in rows], indent=2, ensure_ascii=False))
    else:
        print("\n".join(row.line() for row in rows))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
