"""The command line of the Docker engine: ``run -- COMMAND``, and ``pythons VERSION…``."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from support.machine import Unavailable

from dockerengine import debian, engine, images, pythons


@contextmanager
def ready(*, with_images: bool) -> Iterator[engine.Engine]:
    """The engine that answers if it has Compose and gets the images, else one of our own that does."""
    found = engine.existing()
    if found is not None:
        try:
            if with_images:
                _check_compose(found)
                images.ensure(found)
        except Unavailable as reason:
            debian.say(f"the engine that answers here is of no use ({reason}), starting another")
        else:
            yield found
            return
    with engine.own() as started:
        if with_images:
            debian.compose(started)
            images.ensure(started)
        yield started


def _check_compose(found: engine.Engine) -> None:
    if not found.has_compose():
        msg = "`docker compose` is missing, or version 1"
        raise Unavailable(msg)


def run(command: list[str]) -> int:
    """Run a command beside an engine, and return its exit code."""
    with ready(with_images=True) as found:
        env = {**os.environ, **found.environment, "TIERKEEPER_TEST_DOCKER": "1"}
        child = subprocess.Popen(command, env=env)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            return child.wait()
        except KeyboardInterrupt:
            return child.wait()  # the terminal sent it to the child too


def run_pythons(versions: list[str], *, tests: str, jobs: int) -> int:
    """Run demo and tests on other Pythons, and return 0 where all passed."""
    with ready(with_images=False) as found:
        return 0 if pythons.all_tried(found, versions, tests=tests, jobs=jobs) else 1


def main() -> int:
    """Do what the command line says. Where it cannot be had: a loud line, and failure only in CI."""
    parser = argparse.ArgumentParser(prog="dockerengine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    beside = verbs.add_parser("run", help="a command beside an engine that has the images")
    beside.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    others = verbs.add_parser("pythons", help="demo and tests on other Pythons, each in a container")
    others.add_argument("--tests", default="tests/unit", help="what pytest runs")
    others.add_argument("--jobs", type=int, default=2)
    others.add_argument("versions", nargs="+", choices=list(pythons.PYTHONS))
    args = parser.parse_args()
    try:
        if args.verb == "pythons":
            return run_pythons(args.versions, tests=args.tests, jobs=args.jobs)
        command = args.command[1:] if args.command[:1] == ["--"] else args.command
        return run(command) if command else parser.error("run needs a command")
    except Unavailable as reason:
        print(f"SKIPPED: no Docker engine here: {reason}", file=sys.stderr)  # noqa: T201  a command line prints
        return 1 if os.environ.get("TIERKEEPER_CI") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
