"""Writes docs/explanation/speed.md and its plots from the results that ``--keep`` left in benchmarks/results/.

``python -m benchmarks.report``. The tables are those that the figures print; the plots show the same samples.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from benchmarks.harness import goals, results, rounds
from benchmarks.harness.goals import Goal
from benchmarks.harness.rounds import Role, Samples

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "tierkeeper", "font.size": 10})
from matplotlib import pyplot as plt  # noqa: E402  the backend is chosen before

DOCS: Final = Path(__file__).parents[1] / "docs" / "explanation"
PLOTS: Final = DOCS / "speed"
#: figure and group: the least share of the limit that is the goal
GOALS: Final[Mapping[tuple[str, str], float]] = {
    ("s2_transition", ""): 0.9,
    ("s3_purge", ""): 0.65,
    ("s4_store", "(a) one task each"): 0.9,
    ("s4_store", "(b) 100 in a task"): 0.75,
    ("s13_folders", "new"): 0.4,
}
_SOAK_PLOT: Final = "memory and waits over time"
_KINDS: Final = ("program", "postgres", "store", "broker")
_HEAD: Final = """# Speed

How fast tierkeeper is, beside what a user would use instead (the **peer**) and beside the **limit**: what the same
machine and the same services do for a bare client with nothing of ours in the way. Times on a shared machine say
little, so every figure is a ratio within one run; [how they are made](../reference/benchmarks.md) says more.

This page is made by `python -m benchmarks.report` from `benchmarks/results/`, which `make bench BENCH_ARGS=--keep` and
`make soak SOAK_ARGS=--keep` write.

![shares of the limits](speed/shares.svg)

![CPU of an item](speed/cpu.svg)
"""


def main() -> None:
    kept = results.read()
    PLOTS.mkdir(exist_ok=True)
    shares(kept)
    cpu(kept)
    soak(kept)
    (DOCS / "speed.md").write_text(text(kept))


def text(kept: Mapping[str, Any]) -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(section(figure) for figure in kept.values())])


def section(kept: Mapping[str, Any]) -> str:
    """Return the table of a figure, and where and when it was measured."""
    machine = kept["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory'] // 2**30} GiB, Linux {machine['kernel']}"
    measured = f"Measured on {kept['at'][:10]}: {where}.\n"
    if "goals" in kept:
        table = goals.table([Goal(**goal) for goal in kept["goals"]])
        return f"## {kept['title']}\n\n{kept['words']}\n\n![{_SOAK_PLOT}](speed/soak.svg)\n\n{table}\n{measured}"
    if "sides" not in kept:
        return f"## {kept['title']}\n\n{_steps(kept)}\n{measured}"
    table = rounds.table(kept["title"], rounds.of_json(kept), items=kept["items"], seed=kept["seed"])
    return f"{table.replace('### ', '## ', 1)}\n{measured}"


def _steps(kept: Mapping[str, Any]) -> str:
    rows = (f"| {row['way']} | {row['step']} | {row['peak'] / 2**20:.0f} |" for row in kept["rows"])
    return "\n".join(
        [f"An artifact of {kept['size'] // 2**20} MiB.\n", "| way | step | peak, MiB |", "|---|---|---|", *rows, ""]
    )


def shares(kept: Mapping[str, Any]) -> None:
    """Plot the share of the limit that each figure of ours reaches, the least and the most, and its goal."""
    bars = [
        (f"{figure.partition('_')[0].upper()} {each.side.group}".strip(), rounds.ratios(each, limit), goal)
        for figure, group, goal in ((figure, group, goal) for (figure, group), goal in GOALS.items())
        if figure in kept
        for each, limit in _pairs(rounds.of_json(kept[figure]), group)
    ]
    if not bars:
        return
    chart, axes = plt.subplots(figsize=(8, 0.6 * len(bars) + 1))
    names = [name for name, _, _ in bars]
    middles = [statistics.median(found) for _, found, _ in bars]
    spread = [
        [middle - min(found) for middle, (_, found, _) in zip(middles, bars, strict=True)],
        [max(found) - middle for middle, (_, found, _) in zip(middles, bars, strict=True)],
    ]
    axes.barh(names, middles, xerr=spread, height=0.5, color="#4c78a8", capsize=3)
    for place, (_, _, goal) in enumerate(bars):
        axes.plot([goal, goal], [place - 0.35, place + 0.35], color="#e45756", linewidth=2)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set_xlabel("share of the limit (median, least to most); red: the goal")
    axes.invert_yaxis()
    _save(chart, "shares")


def _pairs(samples: Sequence[Samples], group: str) -> Iterator[tuple[Samples, Samples]]:
    """Yield our side of a group with its limit."""
    of = {each.side.role: each for each in samples if each.side.group == group}
    if Role.OURS in of and Role.LIMIT in of:
        yield of[Role.OURS], of[Role.LIMIT]


def cpu(kept: Mapping[str, Any]) -> None:
    """Plot the CPU of an item of each side of ours and its limit, by kind of process."""
    bars = [
        (
            f"{figure.partition('_')[0].upper()} {each.side.group} {each.side.role}".replace("  ", " "),
            each,
            kept[figure],
        )
        for figure, group in GOALS
        if figure in kept
        for pair in _pairs(rounds.of_json(kept[figure]), group)
        for each in pair
    ]
    if not bars:
        return
    chart, axes = plt.subplots(figsize=(8, 0.4 * len(bars) + 1))
    left = [0.0] * len(bars)
    for kind in (kind for kind in _KINDS if any(usage.cpu.get(kind) for _, each, _ in bars for usage in each.usage)):
        wide = [
            statistics.median(usage.cpu.get(kind, 0.0) for usage in each.usage) * 1000 / figure["items"]
            for _, each, figure in bars
        ]
        axes.barh([name for name, _, _ in bars], wide, left=left, height=0.6, label=kind)
        left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.set_xlabel("milliseconds of CPU per item (median)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(_KINDS), frameon=False)
    axes.invert_yaxis()
    _save(chart, "cpu")


def soak(kept: Mapping[str, Any]) -> None:
    """Plot the memory of each role of a soak over time and the waits of each minute, with their limits."""
    if "soak" not in kept:
        return
    found = kept["soak"]
    chart, (above, below) = plt.subplots(2, figsize=(8, 7), sharex=True)
    minutes = [seconds / 60 for seconds in found["seconds"]]
    for role, values in found["memory"].items():
        above.plot(minutes, [math.nan if value is None else value for value in values], label=role, linewidth=1)
    above.set_ylabel("memory, MiB (largest process)")
    for step in ("moved", "purged"):
        waits = found["waits"][step]
        below.plot(
            [each["minute"] for each in waits], [each["p99"] for each in waits], marker=".", label=f"{step}, p99"
        )
        below.plot([each["minute"] for each in waits], [each["p50"] for each in waits], "--", label=f"{step}, p50")
    below.set_ylabel("seconds from due to done")
    below.set_xlabel("minutes; red: what it must stay below")
    for axes, limit in ((above, found["limits"]["memory"]), (below, found["limits"]["wait"])):
        axes.axhline(limit, color="#e45756", linewidth=2)
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=8)
    _save(chart, "soak")


def _save(chart: Any, name: str) -> None:  # noqa: ANN401  matplotlib's
    chart.tight_layout()
    chart.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})
    plt.close(chart)


if __name__ == "__main__":
    main()
