"""S13: `store -r` of files of 2 KiB into a folder tier, new and unchanged.

New; limit: a bare loop of as many threads that writes, fsyncs and renames the same files and sidecars; peer: one store
after another in one process. Unchanged; limit: a bare loop of as many threads that reads and hashes the files.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import rounds, services
from benchmarks.harness.rounds import Role, Side
from tierkeeper.base import callers
from tierkeeper.keeper import Keeper
from tierkeeper_client.contract import InlineContent, StoreArgs

SIZE = 2048
IN_FOLDER = 100  # files
SIDECAR = json.dumps({"tenant": "bench", "metadata": {}, "sha256": "0" * 64, "more": "x" * 330}).encode()
NEW, UNCHANGED = "new", "unchanged"


class Figure:
    """The preparation, work and checks of each side."""

    def __init__(self, place: Path, databases: services.Databases, *, count: int) -> None:
        self.place, self.databases, self.count = place, databases, count
        self.source, self.target = place / "source", place / "target"
        self.targets = 0
        self.env: dict[str, str] = {}
        self.printed = ""
        self.threads = 16
        for number in range(count):
            folder = self.source / f"d{number // IN_FOLDER:03}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"f{number:05}.bin").write_bytes(random.Random(number).randbytes(SIZE))  # noqa: S311  content

    def fresh(self) -> None:
        """Make an empty installation and an empty target; the ones before stay.

        ext4 looks for a new file's inode past all those that were freed in the last minutes: whoever writes where much
        was removed pays for that.
        """
        self.targets += 1
        self.target = self.place / f"target-{self.targets}"
        (self.target / ".tmp").mkdir(parents=True)
        self.env = services.environment(self.place, catalog=self.databases.fresh(), tiers={})
        services.init(self.env)
        self.threads = services.settings(self.env).engine.io_threads
        os.sync()

    def stored(self) -> None:
        """Make an installation that has the folder."""
        self.fresh()
        self.store()

    def store(self) -> None:
        """Run the command as a user does."""
        arguments = ["-q", "store", "-r", str(self.source), "--tenant", "bench", "--workflow", "folders"]
        command = [str(Path(sys.executable).with_name("tierkeeper")), *arguments]
        done = subprocess.run(command, env={**os.environ, **self.env}, stdout=subprocess.PIPE, text=True, check=True)
        self.printed = done.stdout

    def told(self, outcome: str) -> Callable[[], None]:
        """Return the check that every file had this outcome."""

        def check() -> None:
            assert f"{self.count} {outcome}" in self.printed, self.printed

        return check

    def one_by_one(self) -> None:
        """Store one file after another."""
        with Keeper.open(services.settings(self.env)) as keeper:
            for path in sorted(self.source.rglob("*.bin")):
                name = path.relative_to(self.source).as_posix()
                args = StoreArgs(tenant="bench", workflow="folders", name=name, content=InlineContent.of(b""))
                with path.open("rb") as content:
                    keeper.artifacts.store(args, caller=callers.DEMO, content=content)

    def bare_write(self) -> None:
        """Write, fsync and rename every file and its sidecar."""
        with ThreadPoolExecutor(self.threads) as threads:
            list(threads.map(self.write_one, sorted(self.source.rglob("*.bin"))))

    def write_one(self, path: Path) -> None:
        """Write one file and its sidecar, as a store names them: a folder for each."""
        folder = self.target / path.relative_to(self.source)
        folder.mkdir(parents=True)
        for name, content in (("1.metadata.json", SIDECAR), ("1", path.read_bytes())):
            unfinished = self.target / ".tmp" / f"{path.name}.{name}"
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(folder / name)

    def bare_read(self) -> None:
        """Read and hash every file."""
        with ThreadPoolExecutor(self.threads) as threads:
            list(threads.map(lambda path: hashlib.sha256(path.read_bytes()).digest(), self.source.rglob("*.bin")))


def main() -> None:
    parser = rounds.arguments(__doc__, items=5000)
    options = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        databases = services.Databases(stack.enter_context(services.postgres(place)))
        figure = Figure(place, databases, count=options.items)
        sides = [
            Side("tierkeeper store -r", Role.OURS, figure.store, figure.fresh, figure.told("stored"), group=NEW),
            Side("one store after another", Role.PEER, figure.one_by_one, figure.fresh, group=NEW),
            Side("write, fsync, rename", Role.LIMIT, figure.bare_write, figure.fresh, group=NEW),
            Side("tierkeeper again", Role.OURS, figure.store, figure.stored, figure.told("unchanged"), group=UNCHANGED),
            Side("read, hash", Role.LIMIT, figure.bare_read, group=UNCHANGED),
        ]
        rounds.measure("s13_folders", "S13 folder, 2 KiB, into a folder tier", sides, options, server=databases.server)


if __name__ == "__main__":
    main()
