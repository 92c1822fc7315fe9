"""docs/explanation/speed.md shows the results that are kept, and nothing else."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.harness import results

SOAK = {
    "figure": "soak",
    "at": "2026-12-01T12:00:00+00:00",
    "machine": {"cpu": "one", "cores": 2, "memory": 2**34, "kernel": "6.1"},
    "title": "Soak: half load for 30 min",
    "words": "50 stores a second.",
    "goals": [
        {"goal": "memory of beat under 200 MiB", "found": "at most 90 MiB", "met": True},
        {"goal": "from sent to stored", "found": "p50 0.1 s", "met": None},
        {"goal": "no object is left", "found": "2 are", "met": False},
    ],
    "limits": {"memory": 200, "wait": 120},
    "seconds": [5, 10],
    "memory": {"beat": [89.0, 90.0], "worker's children": [None, 120.5]},
    "waits": {
        "stored": [{"minute": 0, "count": 60, "p50": 0.1, "p99": 0.3}],
        "moved": [{"minute": 1, "count": 60, "p50": 30.0, "p99": 61.0}],
        "purged": [{"minute": 2, "count": 60, "p50": 30.0, "p99": 61.0}],
    },
}


def test_the_page_is_made_of_the_results() -> None:
    """The page is what `python -m benchmarks.report` writes, and each of its plots is there."""
    page = report.DOCS / "speed.md"
    assert page.read_text() == report.text(results.read())
    plots = {line.partition("](")[2].removesuffix(")") for line in page.read_text().splitlines() if line[:2] == "!["}
    assert {plot.name for plot in report.PLOTS.glob("*.svg")} == {plot.removeprefix("speed/") for plot in plots}


def test_a_soak_is_shown_with_its_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its goals are a table that tells what was not judged and what was missed; without one there is no plot."""
    monkeypatch.setattr(report, "PLOTS", tmp_path)
    page = report.text({"soak": SOAK})
    assert "## Soak: half load for 30 min\n\n50 stores a second.\n\n![" in page
    assert "| from sent to stored | p50 0.1 s | - |" in page
    assert "| no object is left | 2 are | NO |" in page
    report.soak({})
    assert not list(tmp_path.iterdir())
    report.soak({"soak": SOAK})
    assert [path.name for path in tmp_path.iterdir()] == ["soak.svg"]
    assert page.count("(speed/soak.svg)") == 1
