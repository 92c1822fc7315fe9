"""Measures sides against each other: rounds in which each side works once, in random order; one table."""

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.machine import Meter, Usage
from benchmarks.harness.spread import spread
from tierkeeper.embedded.postgres import Postgres

LEAST = 0.005  # milliseconds of CPU of an item that are told
QUIET = 0.1  # cores; a round in which other processes used more is marked


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
    results.add_argument(parser)
    return parser


def measure(
    figure: str, title: str, sides: Sequence[Side], options: argparse.Namespace, *, server: Postgres | None = None
) -> list[Samples]:
    """Run every side in every round, print the table, and return the samples; ``--keep`` keeps them under ``figure``.

    ``server``: the catalog's, whose write-ahead log and transactions are counted.
    """
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    order = random.Random(seed)  # noqa: S311  an order, no secret
    chosen = [s for s in sides if not options.only or any(text in s.name for text in options.only)]
    samples = [Samples(side) for side in chosen]
    for number in range(options.rounds):
        for each in order.sample(samples, len(samples)):
            each.side.prepare()
            meter = Meter(None if server is None else server.url("postgres"))
            each.side.work()
            usage = meter.read()
            each.side.check()
            each.usage.append(usage)
            rate = options.items / usage.seconds
            note = f"{rate:9.0f}/s  others {usage.others:.2f} cores"
            print(f"  round {number + 1} {each.side.group} {each.side.name:<34} {note}", file=sys.stderr, flush=True)
    print(table(title, samples, items=options.items, seed=seed))
    if options.keep:
        results.keep(figure, as_json(title, samples, items=options.items, seed=seed))
    return samples


def as_json(title: str, samples: Sequence[Samples], *, items: int, seed: int) -> Mapping[str, Any]:
    """Return what is kept of a figure: each side with the usage of each of its rounds."""
    sides = [
        {
            "name": each.side.name,
            "role": each.side.role,
            "group": each.side.group,
            "usage": [asdict(usage) for usage in each.usage],
        }
        for each in samples
    ]
    return {"title": title, "items": items, "seed": seed, "sides": sides}


def of_json(kept: Mapping[str, Any]) -> list[Samples]:
    """Return the samples that were kept."""
    return [
        Samples(
            Side(side["name"], Role(side["role"]), _nothing, group=side["group"]),
            [Usage(**usage) for usage in side["usage"]],
        )
        for side in kept["sides"]
    ]


def _nothing() -> None:
    """Stand for the work of a side that was measured before."""


def table(title: str, samples: Sequence[Samples], *, items: int, seed: int) -> str:
    """Return the table in Markdown: rates as medians with their spread, ratios as medians of each round's own."""
    rounds = len(samples[0].usage)
    loud = sum(u.others > QUIET for s in samples for u in s.usage)
    lines = [
        f"### {title}",
        "",
        f"{items} items, {rounds} rounds in random order (seed {seed}). A ratio is the median of the rounds' own.",
        "",
        "| side | | items/s | spread | share of the limit | ours is so many times as fast | CPU per item | by others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in samples:
        rates = _rates(each, items)
        beside = {s.side.role: s for s in reversed(samples) if s.side.group == each.side.group}
        limit = _ratio(each, beside[Role.LIMIT]) if Role.LIMIT in beside else ""
        ours = Role.OURS in beside and beside[Role.OURS] is not each
        against = _ratio(beside[Role.OURS], each) if ours else ""
        most = max(u.others for u in each.usage)
        cells = (
            f"{each.side.group}: {each.side.name}".removeprefix(": "),
            each.side.role,
            f"{statistics.median(rates):.0f}",
            f"{min(rates):.0f}-{max(rates):.0f}",
            limit,
            against,
            per_item(each, items),
            f"{most:.2f}{' !' if most > QUIET else ''}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if loud:
        lines += ["", f"! NOISY: in {loud} of {rounds * len(samples)} measurements others used over {QUIET} cores."]
    return "\n".join(lines) + "\n"


def per_item(samples: Samples, items: int) -> str:
    """Return what an item costs on a median: milliseconds of CPU by kind of process, log and transactions."""
    kinds = sorted({kind for u in samples.usage for kind in u.cpu})
    spent = {kind: statistics.median(u.cpu.get(kind, 0.0) for u in samples.usage) * 1000 / items for kind in kinds}
    parts = [f"{kind} {milliseconds:.2f} ms" for kind, milliseconds in spent.items() if milliseconds >= LEAST]
    if log := statistics.median(u.log for u in samples.usage):
        parts.append(f"log {log / 1000 / items:.1f} KB")
        parts.append(f"{statistics.median(u.transactions for u in samples.usage) / items:.2f} transactions")
    return ", ".join(parts)


def _rates(samples: Samples, items: int) -> list[float]:
    return [items / u.seconds for u in samples.usage]


def ratios(one: Samples, other: Samples) -> list[float]:
    """Return the ratios of the rates of ``one`` and ``other``, round by round."""
    return [b.seconds / a.seconds for a, b in zip(one.usage, other.usage, strict=True)]


def _ratio(one: Samples, other: Samples) -> str:
    return spread(ratios(one, other))
