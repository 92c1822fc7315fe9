"""What a soak found, against its goals: memory and its growth, waits, and how many went all the way."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.harness.evidence import Wait
from benchmarks.harness.goals import Goal
from benchmarks.harness.sampler import Sample, Sampler, growth
from tierkeeper.audit.kinds import EventType

SWEEP: Final = 60  # seconds between two sweeps of Beat
MEMORY: Final = 200  # MiB
FLAT: Final = 5  # MiB; the docstring of `benchmarks/soak.py` says why
JUDGED: Final = 10  # minutes, the least in which growth and waits are judged


def memory(sampler: Sampler, seconds: float, *, judged: bool) -> Iterator[Goal]:
    """Yield what the memory of each role was, and how much it grew."""
    for role, peak in sampler.peaks.items():
        yield Goal(f"memory of {role} under {MEMORY} MiB", f"at most {peak:.0f} MiB", peak < MEMORY)
    samples = sampler.until(seconds)
    for role in sampler.peaks:
        values = [sample.memory[role] for sample in samples if role in sample.memory]
        if len(values) >= 5:
            before, after = growth(values)
            grown = f"{before:.1f} to {after:.1f} MiB: {after - before:+.1f}"
            yield Goal(f"memory of {role} flat", grown, after - before <= FLAT if judged else None)


def waited(kind: EventType, waits: Sequence[Wait], *, judged: bool) -> Goal:
    """Return what the waits were; those for `stored` have no goal."""
    if not waits:
        return Goal(f"{kind} at all", "none", met=False)
    *minutes, whole = waits
    worst = max(each.p99 for each in minutes)
    found = f"p50 {whole.p50:.1f} s, p99 {whole.p99:.1f} s, of the worst minute {worst:.1f} s"
    if kind is EventType.STORED:
        return Goal("from sent to stored", found, met=None)
    return Goal(
        f"p99 from due to {kind} under {2 * SWEEP} s in each minute", found, worst < 2 * SWEEP if judged else None
    )


def counted(counts: Mapping[str, int], sent: int, *, judged: bool) -> Goal:
    """Return how many artifacts went through each state.

    One that the sweeps reach only at the age of its purge is not moved before; it counts as missed where waits are
    judged. If its copy was under way, that is collected too.
    """
    stored, moved, purged, collected, destroyed = (
        counts.get(kind, 0)
        for kind in (
            EventType.STORED,
            EventType.MOVED,
            EventType.PURGED,
            EventType.COLLECTED,
            EventType.DESTROYED,
        )
    )
    shown = f"{stored} stored, {moved} moved, {purged} purged; {collected} copies collected, {destroyed} receipts"
    gone = stored == purged == destroyed == sent and collected >= sent + moved
    met = gone and (not judged or (moved == sent and collected == 2 * sent))
    return Goal(f"each of {sent} goes all the way", shown, met)


def busy(samples: Sequence[Sample]) -> str:
    """Return the cores that each kind of process kept busy, in words; this program counts as the product."""
    kinds = sorted({kind for sample in samples for kind in sample.usage.cpu})
    cores = {k: statistics.median(s.usage.cpu.get(k, 0.0) / s.usage.seconds for s in samples) for k in kinds}
    others = statistics.median(sample.usage.others for sample in samples)
    return ", ".join([*(f"{kind} {number:.2f}" for kind, number in cores.items()), f"others {others:.2f}"])
