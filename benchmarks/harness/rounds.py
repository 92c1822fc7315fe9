"""Measures sides against each other: rounds in which each side works once, in random order; one table."""

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.harness.machine import Meter, Usage

QUIET = 0.1  # cores; a round in which other processes used more is marked, and does not count towards a goal


class Role(StrEnum):
    """The role of a side in a figure."""

    OURS = "ours"
    PEER = "peer"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Side:
    """One way to do the work. ``prepare`` and ``check`` are not measured; ``check`` raises if the work is not done."""

    name: str
    role: Role
    work: Callable[[], None]
    prepare: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    group: str = ""  # ratios are taken between sides of one group


@dataclass(slots=True)
class Samples:
    """The usage of one side, round by round."""

    side: Side
    usage: list[Usage] = field(default_factory=list)


def arguments(doc: str | None, *, items: int) -> argparse.ArgumentParser:
    """Return the argument parser that all figures share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--items", type=int, default=items, help=f"how many items (default {items})")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side works (default 5)")
    parser.add_argument("--only", action="append", default=[], help="leave out sides whose name lacks this text")
    parser.add_argument("--seed", type=int, default=None, help="of the order of the sides")
    return parser


def measure(title: str, sides: Sequence[Side], options: argparse.Namespace) -> list[Samples]:
    """Run every side in every round, print the table, and return the samples."""
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    order = random.Random(seed)  # noqa: S311  an order, no secret
    chosen = [s for s in sides if not options.only or any(text in s.name for text in options.only)]
    samples = [Samples(side) for side in chosen]
    for number in range(options.rounds):
        for each in order.sample(samples, len(samples)):
            each.side.prepare()
            meter = Meter()
            each.side.work()
            usage = meter.read()
            each.side.check()
            each.usage.append(usage)
            rate = options.items / usage.seconds
            note = f"{rate:9.0f}/s  others {usage.others:.2f} cores"
            print(f"  round {number + 1} {each.side.group} {each.side.name:<34} {note}", file=sys.stderr, flush=True)
    print(table(title, samples, items=options.items, seed=seed))
    return samples


def table(title: str, samples: Sequence[Samples], *, items: int, seed: int) -> str:
    """Return the table in Markdown: rates as medians with their spread, ratios as medians of each round's own."""
    rounds = len(samples[0].usage)
    loud = sum(u.others > QUIET for s in samples for u in s.usage)
    lines = [
        f"### {title}",
        "",
        f"{items} items, {rounds} rounds in random order (seed {seed}). A ratio is the median of the rounds' own.",
        "",
        "| side | | items/s | spread | share of the limit | ours is so many times as fast | CPU, cores | by others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in samples:
        rates = _rates(each, items)
        beside = {s.side.role: s for s in reversed(samples) if s.side.group == each.side.group}
        limit = _ratio(each, beside[Role.LIMIT], items) if Role.LIMIT in beside else ""
        ours = Role.OURS in beside and beside[Role.OURS] is not each
        against = _ratio(beside[Role.OURS], each, items) if ours else ""
        cpu = statistics.median(u.ours for u in each.usage)
        most = max(u.others for u in each.usage)
        cells = (
            f"{each.side.group}: {each.side.name}".removeprefix(": "),
            each.side.role,
            f"{statistics.median(rates):.0f}",
            f"{min(rates):.0f}-{max(rates):.0f}",
            limit,
            against,
            f"{cpu:.2f}",
            f"{most:.2f}{' !' if most > QUIET else ''}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if loud:
        lines += ["", f"! NOISY: in {loud} of {rounds * len(samples)} measurements others used over {QUIET} cores."]
    return "\n".join(lines) + "\n"


def _rates(samples: Samples, items: int) -> list[float]:
    return [items / u.seconds for u in samples.usage]


def _ratio(one: Samples, other: Samples, items: int) -> str:
    """Return the ratio of the rates of ``one`` and ``other`` over the rounds: median, and least to most."""
    ratios = [a / b for a, b in zip(_rates(one, items), _rates(other, items), strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
