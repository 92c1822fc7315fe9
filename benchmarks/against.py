"""Measures two checkouts against each other: every figure in both, in turns, in one run; the ratio of their rates.

``python -m benchmarks.against ../before`` (a checkout whose ``make install`` was run). A ratio above 1 is faster than
before. Each round begins with the other checkout every second time, so that a drift of the machine hits both.
"""

import argparse
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.spread import spread

HERE = Path(__file__).resolve().parent.parent
#: the arguments of each figure; S1 runs with one size, because the smaller catalog shows the cost of a claim
FIGURES = {
    "s1_sweep": ("--items", "10000", "--sizes", "100000"),
    "s2_transition": ("--items", "4000"),
    "s3_purge": ("--items", "4000"),
    "s4_store": ("--items", "1500"),
}
#: a pair below this is slower beyond noise; a figure counts as slower if its median and all pairs but one are
_SLOWER = 0.95
_NAME, _ROLE, _RATE, _OTHERS = 1, 2, 3, 8  # columns of the table that a figure prints


@dataclass(frozen=True, slots=True)
class Rate:
    """The rate of one side in one run of one figure."""

    items_per_second: float
    noisy: bool


def measure(checkout: Path, figure: str) -> dict[str, Rate]:
    """Run one round of our sides of a figure in a checkout; rates by the side's name. Raises if the figure fails."""
    command = [
        str(checkout / ".venv/bin/python"),
        "-m",
        f"benchmarks.{figure}",
        *("--rounds", "1", "--only", "tierkeeper"),
        *FIGURES[figure],
    ]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{figure} failed in {checkout}:\n{done.stderr[-2000:]}")
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines() if line.startswith("| ")]
    return {row[_NAME]: Rate(float(row[_RATE]), "!" in row[_OTHERS]) for row in rows if row[_ROLE] == "ours"}


def compare(before: Path, figures: Sequence[str], *, rounds: int) -> str:
    """Return a table in Markdown: both rates as medians; of the rounds' ratios the median, the least, the greatest."""
    lines = [
        "| figure | side | before, items/s | now, items/s | now is so many times as fast |",
        "|---|---|---|---|---|",
    ]
    for figure in figures:
        pairs: dict[str, list[tuple[Rate, Rate]]] = defaultdict(list)
        for number in range(rounds):
            order = [before, HERE] if number % 2 == 0 else [HERE, before]
            rates = {checkout: measure(checkout, figure) for checkout in order}
            for side, old in rates[before].items():
                pairs[side].append((old, rates[HERE][side]))
            print(f"  {figure}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        lines.extend(_line(figure, side, measured) for side, measured in pairs.items())
    return "\n".join(lines)


def _line(figure: str, side: str, measured: Sequence[tuple[Rate, Rate]]) -> str:
    ratios = [new.items_per_second / old.items_per_second for old, new in measured]
    noisy = sum(old.noisy + new.noisy for old, new in measured)
    slower = sum(ratio < _SLOWER for ratio in ratios)
    cells = (
        figure,
        side,
        f"{statistics.median(old.items_per_second for old, _ in measured):.0f}",
        f"{statistics.median(new.items_per_second for _, new in measured):.0f}",
        f"{spread(ratios)}; {slower} of {len(measured)} pairs below {_SLOWER}"
        + (f"; {noisy} of {2 * len(measured)} measurements noisy" if noisy else ""),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout, with its .venv")
    parser.add_argument("--figure", action="append", choices=FIGURES, help="only this one (again for more)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(compare(options.before.resolve(), options.figure or list(FIGURES), rounds=options.rounds))


if __name__ == "__main__":
    main()
