"""Each figure of the benchmarks still runs, and checks what it did: a few items, one round; its rates say nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.s3

ROOT = Path(__file__).parents[2]
FEW = {
    "s1_sweep": ("--rounds", "1", "--items", "200", "--sizes", "2000"),
    "s2_transition": ("--rounds", "1", "--items", "100"),
    "s3_purge": ("--rounds", "1", "--items", "100"),
    "s4_store": ("--rounds", "1", "--items", "100", "--only", "tierkeeper"),
    "s8_queue": ("--rounds", "1", "--items", "100"),
    "s9_workers": ("--rounds", "1", "--items", "100"),
    "s13_folders": ("--rounds", "1", "--items", "100"),
    "memory": ("--size", "8MiB"),
    # a minute has a sweep of Beat's; waits and growth are not judged in so short a time
    "soak": ("--minutes", "1", "--move", "5s", "--purge", "30s", "--rate", "20", "--sweep", "1"),
}


@pytest.mark.parametrize("figure", FEW)
def test_a_figure_runs(figure: str) -> None:
    """It ends without an error, as each of its sides found in the catalog and in the store what it should."""
    command = [sys.executable, "-m", f"benchmarks.{figure}", *FEW[figure]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "###" in done.stdout


def test_no_figure_is_left_out() -> None:
    """Whatever lies in the folder is run here, but for what compares two checkouts, or shows what was kept."""
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert there == {*FEW, "against", "report"}
