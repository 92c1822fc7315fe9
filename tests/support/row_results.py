"""A pytest plugin: keeps the tests that carry one of the rows of ``--rows``, and writes what became of each.

The report is JSON: a list of :class:`Result` as objects. It works in one process and under pytest-xdist.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

MARK = "row"
_WORST = ("passed", "skipped", "failed")


@dataclass(slots=True)
class Result:
    """What became of a test: ``outcome`` is "passed", "failed" or "skipped", the last with a ``reason``.

    ``rows`` are its marks: an id, and perhaps the clause of that row which it shows.
    """

    test: str
    rows: list[list[str]]
    outcome: str = "passed"
    reason: str = ""


def read(report: Path) -> list[Result]:
    """Return what a run wrote; nothing where it wrote nothing."""
    found: list[Mapping[str, Any]] = json.loads(report.read_text()) if report.exists() else []
    return [Result(**each) for each in found]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption("--rows", default="", help="ids of rows, with commas between them")
    parser.addoption("--rows-report", type=Path, default=None, help="the file for the results")


def pytest_configure(config: pytest.Config) -> None:
    """Collect the results in the process that hears of all of them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(config.getoption("rows_report")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what carries a chosen row; its marks travel with its reports."""
    chosen = set(config.getoption("rows").split(","))
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        marks = [list(mark.args) for mark in item.iter_markers(MARK) if mark.args[0] in chosen]
        item.user_properties += [(MARK, mark) for mark in reversed(marks)]  # as they stand there, from above
        (kept if marks else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@dataclass(slots=True)
class Results:
    """What became of the tests so far."""

    report: Path | None
    found: dict[str, Result] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the worst of a test's phases."""
        marks: list[Any] = [value for name, value in report.user_properties if name == MARK]
        result = self.found.setdefault(report.nodeid, Result(report.nodeid, marks))
        if _WORST.index(report.outcome) > _WORST.index(result.outcome):
            result.outcome = report.outcome
            if isinstance(report.longrepr, tuple):  # of a skip: file, line, reason
                result.reason = report.longrepr[2].removeprefix("Skipped: ")

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        if self.report is not None:
            self.report.write_text(json.dumps([asdict(result) for result in self.found.values()]))
