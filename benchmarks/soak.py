"""A soak: ``tierkeeper up`` as it is shipped, for half an hour, at half of the load that it can take.

Single messages ``store`` of 4 KiB come evenly; a policy moves each artifact from hot to warm at an age of ``--move``,
and purges it at ``--purge``, in two buckets of one S3 server. Beat sends its sweeps each minute. Undo and grace are
zero, the brake's limit is out of reach, the log is JSON; all other settings are the defaults.

The load that it can take is measured first, unless ``--rate`` gives it: ``--count`` messages at once, moved after one
second and purged after five, with a rotation and a collect each second, until no copy is left. The five seconds that
the last one has to wait do not count, so that half of the rate is rather too much.

Goals: every process stays below 200 MiB (the most that it ever held), and its memory is flat: the median of the last
fifth of the time is at most 5 MiB above that of the second fifth (the first one warms up). Between the two lie 60 % of
the time; in half an hour at 50 stores a second that is 54 000 artifacts, so that an object of a hundred bytes that each
left behind would be seen. The rest is room for what the allocator holds back in a process with threads. p99 from due
to done is below two sweeps in each minute. Every artifact is stored, moved, purged and collected, and nothing reports
an error.

In less than ten minutes neither growth nor waits are judged. ``--sweep`` has sweeps sent by this program too, for a
short run that is not to wait for Beat.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.harness import goals, results, services, verdicts
from benchmarks.harness.evidence import Evidence, Wait
from benchmarks.harness.goals import Goal
from benchmarks.harness.product import Product
from benchmarks.harness.sampler import Sample, Sampler
from benchmarks.harness.scene import CALLER, PATIENCE, Scene
from tierkeeper.audit.kinds import EventType
from tierkeeper.base.quantities import parse_duration
from tierkeeper.keeper import Keeper
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import Queue, TaskName

TENANT, FULL, SOAK = "bench", "full-load", "soak"
SIZE: Final = 4096  # bytes of an artifact
FULL_MOVE, FULL_PURGE = timedelta(seconds=1), timedelta(seconds=5)
POLICIES: Final = """
name: {workflow}
match: {{tenant: {tenant}, workflow: {workflow}}}
phases:
  - {{after: 0d, in: [hot]}}
  - {{after: {move}, in: [warm]}}
  - {{after: {purge}, in: []}}
"""


class Soak:
    """The product with its services, a client, and the catalog's evidence."""

    def __init__(self, scene: Scene, broker: str, *, move: timedelta, purge: timedelta) -> None:
        scene.objects(0, age=services.NO_TIME, buckets=("hot", "warm"))
        env = scene.founded(("hot", "warm"))
        ages = {FULL: (FULL_MOVE, FULL_PURGE), SOAK: (move, purge)}
        with Keeper.open(services.settings(env)) as keeper:
            documents = [
                POLICIES.format(tenant=TENANT, workflow=name, move=_seconds(one), purge=_seconds(other))
                for name, (one, other) in ages.items()
            ]
            keeper.policies.apply("---".join(documents), source="soak", caller=CALLER)
        port = str(services.free_port())
        more = {"TIERKEEPER_BROKER__URL": broker, "TIERKEEPER_FLOWER__PORT": port, "TIERKEEPER_LOG__FORMAT": "json"}
        self.product = Product(env | more, scene.place)
        self.scene, self.client, self.evidence = scene, TierkeeperClient(broker), Evidence(scene.catalog)
        self.sent = 0  # in all

    def store(self, workflow: str, *, created: datetime | None = None) -> None:
        """Send one artifact."""
        self.client.store(
            os.urandom(SIZE), tenant=TENANT, workflow=workflow, name=f"item-{self.sent:08}", created=created
        )
        self.sent += 1

    @contextmanager
    def sweeps(self, every: float | None) -> Iterator[None]:
        """Send a rotation and a collect every so many seconds for a block; None: none."""
        ended = threading.Event()

        def send() -> None:
            while not ended.wait(every):
                self.client.send(TaskName.ROTATE)
                self.client.send(TaskName.COLLECT)

        sender = threading.Thread(target=send, daemon=True)
        if every is not None:
            sender.start()
        try:
            yield
        finally:
            ended.set()
            if every is not None:
                sender.join()

    def wait(self, *, every: float, since: datetime | None = None) -> bool:
        """Wait until all is purged and no copy is left, and a canary came through each queue ``since`` then."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.product.alive:
            if self.evidence.ended(self.sent) and (since is None or self.evidence.canaries(since) == len(Queue)):
                return True
            time.sleep(every)
        return False

    def full_load(self, count: int) -> float:
        """Return how many artifacts a second are stored, moved, purged and collected where all come at once."""
        since, began = self.evidence.now(), time.monotonic()
        with self.sweeps(1.0):
            for _ in range(count):
                self.store(FULL)
            assert self.wait(every=0.2), "the product is too slow"
        rate = count / (time.monotonic() - began - FULL_PURGE.total_seconds())
        moved = self.evidence.counts(since).get(EventType.MOVED, 0)
        print(f"  full load: {rate:.0f}/s; {moved} of {count} were moved before they were purged", file=sys.stderr)
        return rate

    def send(self, seconds: float, *, rate: float) -> int:
        """Send ``rate`` artifacts a second, evenly; return how many."""
        began, count = time.monotonic(), round(seconds * rate)
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            self.store(SOAK, created=datetime.now(UTC))
        return count


def main() -> int:
    options = arguments().parse_args()
    seconds, move, purge = options.minutes * 60, options.move, options.purge
    with ExitStack() as stack:
        scene = Scene(stack, undo="0s")
        broker = stack.enter_context(services.valkey(scene.place))
        soak = Soak(scene, broker.url, move=move, purge=purge)
        stack.callback(soak.product.stop)
        soak.product.wait()
        rate = options.rate or soak.full_load(options.count)
        since = soak.evidence.now()
        with Sampler(soak.product.roles) as sampler, soak.sweeps(options.sweep):
            sent = soak.send(seconds, rate=rate / 2)
            soak.wait(every=2.0, since=since)
        ages = {EventType.STORED: services.NO_TIME, EventType.MOVED: move, EventType.PURGED: purge}
        waits = soak.evidence.waits(ages, since)
        judged = options.minutes >= verdicts.JUDGED
        found = [
            *verdicts.memory(sampler, seconds, judged=judged),
            *(verdicts.waited(kind, waits[kind], judged=judged) for kind in ages),
            verdicts.counted(soak.evidence.counts(since), sent, judged=judged),
            *ended(soak),
        ]
        warned = ", ".join(f"{number} of {text!r}" for text, number in soak.product.warnings().most_common(5))
    title = f"Soak: half load for {options.minutes:g} min"
    words = (
        f"{rate / 2:.0f} stores of 4 KiB a second, half of {rate:.0f}; hot until an age of {_seconds(move)},"
        f" warm until {_seconds(purge)}. Cores busy on a median: {verdicts.busy(sampler.until(seconds))}."
        f" Warnings in the log: {warned or 'none'}."
    )
    print(f"### {title}\n\n{words}\n\n{goals.table(found)}")
    if options.keep:
        results.keep("soak", {"title": title, "words": words, **as_json(found, sampler.samples, waits)})
    return 1 if any(goal.met is False for goal in found) else 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of sending (default 30)")
    parser.add_argument("--move", type=parse_duration, default="60s", help="the age of a move (default 60s)")
    parser.add_argument("--purge", type=parse_duration, default="120s", help="the age of a purge (default 120s)")
    parser.add_argument("--rate", type=float, help="artifacts a second at full load (default: measured)")
    parser.add_argument("--count", type=int, default=6000, help="artifacts that measure it (default 6000)")
    parser.add_argument("--sweep", type=float, help="seconds between sweeps that this program sends (default: none)")
    results.add_argument(parser)
    return parser


def ended(soak: Soak) -> Iterator[Goal]:
    """Yield what is left at the end, and stop the product."""
    trouble = soak.evidence.trouble()
    shown = ", ".join(f"{number} {what}" for what, number in trouble.items())
    yield Goal("nothing parked, failed or tried again", shown or "nothing", not trouble)
    left = [key for bucket in soak.scene.buckets for key in soak.scene.stored(bucket)]
    yield Goal("no object is left", f"{len(left)} are", not left)
    health = soak.product.run("health")
    bad = " ".join(line.strip() for line in health.stdout.splitlines() if " bad " in line)
    yield Goal("`tierkeeper health` at the end", f"exit code {health.returncode} {bad}".strip(), health.returncode == 0)
    code = soak.product.stop()
    yield Goal("`tierkeeper up` ends when it is told to", f"exit code {code}", code == 0)
    wrong = soak.product.wrong_lines()
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    yield Goal("no line of an error in its log, no process started again", f"{len(wrong)} lines", not wrong)


def as_json(found: Sequence[Goal], samples: Sequence[Sample], waits: Mapping[str, Sequence[Wait]]) -> dict[str, Any]:
    """Return what is kept: the goals, the memory over time, and the waits by minute."""
    roles = {role: None for sample in samples for role in sample.memory}
    return {
        "goals": [asdict(goal) for goal in found],
        "limits": {"memory": verdicts.MEMORY, "wait": 2 * verdicts.SWEEP},
        "seconds": [round(sample.seconds) for sample in samples],
        "memory": {role: [round(s.memory[role], 1) if role in s.memory else None for s in samples] for role in roles},
        "waits": {kind: [asdict(each) for each in every if each.minute is not None] for kind, every in waits.items()},
    }


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f}s"  # a policy takes no "1m"


if __name__ == "__main__":
    sys.exit(main())
