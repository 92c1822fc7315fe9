"""Memory: a large artifact stored, moved from hot to warm and read back; the most that any process of ours held.

Through the queue, by a real worker: the content comes from a file below an allowed root. ``s3 to s3``: hot and warm
are buckets of one server, which copies by itself. ``file to s3``: hot is a folder, so the bytes pass through the
worker. Reading back is done by ``tierkeeper verify``, which reads every copy, and by ``tierkeeper get``.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import results, services
from benchmarks.harness.scene import Scene
from benchmarks.harness.worker import INGEST_POOL, ROOT, Worker
from tierkeeper.base.quantities import parse_size
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import ArtifactRef
from tierkeeper_client.handle import Handle

LIMIT = 200  # MiB
MIB = 1024 * 1024
REF = ArtifactRef(tenant="bench", workflow="memory", name="large")
PATIENCE = 1800  # seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    way: str
    step: str
    seconds: float
    peak: int  # bytes

    def __str__(self) -> str:
        mib = self.peak / MIB
        return f"| {self.way} | {self.step} | {self.seconds:.1f} | {mib:.0f} | {'yes' if mib < LIMIT else 'NO'} |"


class Journey:
    """The way of one artifact through the tiers."""

    def __init__(self, scene: Scene, broker: str, source: Path, *, way: str) -> None:
        self.scene, self.source, self.way = scene, source, way
        scene.objects(0, age=services.NO_TIME, buckets=("warm", "hot"))
        scene.fresh_catalog()
        warm, hot = (services.tier(scene.access, bucket) for bucket in scene.buckets)
        tiers = {"warm": warm, "hot": hot if way == "s3 to s3" else (source.parents[1] / "hot").as_uri()}
        more = {
            **services.queue(broker),
            "TIERKEEPER_SOURCES__ALLOWED_ROOTS": str(source.parent),
            "TMPDIR": str(source.parents[1]),
        }
        self.env = services.environment(scene.place, catalog=scene.catalog, tiers=tiers) | more
        services.init(self.env)
        self.worker = Worker("worker.app", self.env, scene.place / "worker.log", pool=INGEST_POOL)
        self.client = TierkeeperClient(broker, broker)

    def rows(self) -> Iterator[Row]:
        """Yield one row per step of the whole way."""
        url, names = self.source.as_uri(), REF.model_dump(exclude={"version"})
        yield self._by_worker("store", lambda: self.client.store(url, **names))
        yield self._by_worker("promote to warm", lambda: self.client.promote(REF, to_tier="warm"))
        yield self._command("verify", "verify", "--tenant", REF.tenant)
        target = self.source.parents[1] / "read"
        yield self._command("get", "get", f"{REF.tenant}/{REF.workflow}/{REF.name}", str(target))
        assert target.stat().st_size == self.source.stat().st_size
        target.unlink()
        self.worker.stop()

    def _by_worker(self, step: str, send: Callable[[], Handle]) -> Row:
        self.worker.forget_peak()
        began = time.monotonic()
        answer = send().get(PATIENCE)
        assert "error" not in answer, answer
        return Row(self.way, f"{step} (worker)", time.monotonic() - began, self.worker.peak())

    def _command(self, step: str, *words: str) -> Row:
        began = time.monotonic()
        peak = peak_of([str(Path(sys.executable).with_name("tierkeeper")), *words], self.env)
        return Row(self.way, f"{step} (command line)", time.monotonic() - began, peak)


def peak_of(command: list[str], env: Mapping[str, str]) -> int:
    """Run a command to its end; return the most bytes it held in memory at once."""
    process = subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"], **env}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=parse_size, default=parse_size("2GiB"), help="of the artifact (default 2GiB)")
    results.add_argument(parser)
    options = parser.parse_args()
    size: int = options.size
    print(f"### Memory: an artifact of {size / MIB:.0f} MiB\n")
    print(f"| way | step | seconds | peak, MiB | under {LIMIT} MiB |\n|---|---|---|---|---|")
    with ExitStack() as stack:
        scene = Scene(stack, undo="7d")
        broker = stack.enter_context(services.valkey(scene.place))
        folder = stack.enter_context(services.folder())
        source = folder / "sources" / "large"
        source.parent.mkdir()
        with source.open("wb") as file:
            for _ in range(0, size, MIB):
                file.write(os.urandom(MIB))
        rows: list[Row] = []
        for way in ("s3 to s3", "file to s3"):
            for row in Journey(scene, broker.url, source, way=way).rows():
                print(row, flush=True)
                rows.append(row)
    if options.keep:
        results.keep("memory", {"title": "Memory", "size": size, "rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
