"""docs/explanation/speed.md shows the results that are kept, and nothing else."""

from benchmarks import report
from benchmarks.harness import results


def test_the_page_is_made_of_the_results() -> None:
    """The page is what `python -m benchmarks.report` writes, and each of its plots is there."""
    page = report.DOCS / "speed.md"
    assert page.read_text() == report.text(results.read())
    plots = {line.partition("](")[2].removesuffix(")") for line in page.read_text().splitlines() if line[:2] == "!["}
    assert {plot.name for plot in report.PLOTS.glob("*.svg")} == {plot.removeprefix("speed/") for plot in plots}
