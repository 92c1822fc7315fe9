"""The command line of the S3 server: ``up``, ``env``, ``down``, ``run -- COMMAND``."""
# ruff: noqa: T201  a command line prints

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support.machine import Unavailable

from s3server import root, server


def state_file() -> Path:
    """Return where ``up`` writes what ``env`` and ``down`` read."""
    return root.cache_dir() / "server.json"


def running() -> server.Server | None:
    """Return the server that ``up`` started, if it still lives."""
    try:
        state = json.loads(state_file().read_text())
    except FileNotFoundError:
        return None
    found = server.Server(pid=state["pid"], port=state["port"], log=Path(state["log"]))
    return found if server.alive(found.pid) else None


def up() -> int:
    """Start a server that stays, or find the one there is, and print its environment."""
    if running() is None:
        cache = root.cache_dir()
        cache.mkdir(parents=True, exist_ok=True)
        made = server.start(log=cache / "server.log", end_with_us=False)
        state = {"pid": made.pid, "port": made.port, "log": str(made.log)}
        state_file().write_text(json.dumps(state))
    return env()


def env() -> int:
    """Print the environment of the running server, for ``eval``."""
    found = running()
    if found is None:
        print("s3server: none is running; start one with `up`", file=sys.stderr)
        return 1
    for name, value in found.environment().items():
        print(f"export {name}={value}")
    return 0


def down() -> int:
    """Stop the server that ``up`` started; none is fine too."""
    found = running()
    if found is not None:
        found.stop()
    state_file().unlink(missing_ok=True)
    return 0


def run(command: list[str]) -> int:
    """Run a command beside a server of its own, and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="tierkeeper-s3-") as folder:
        mine = server.start(log=Path(folder) / "server.log", end_with_us=True)
        child: subprocess.Popen[bytes] | None = None
        try:
            child = subprocess.Popen(command, env={**os.environ, **mine.environment()})
            signal.signal(signal.SIGTERM, lambda *_: child.terminate() if child else None)
            return child.wait()
        except KeyboardInterrupt:
            return child.wait() if child else 130  # the terminal sent it to the child too
        finally:
            mine.stop()


def main() -> int:
    """Do what the command line says. Where it cannot be had: a loud line, and failure only in CI."""
    parser = argparse.ArgumentParser(prog="s3server", description=__doc__)
    parser.add_argument("verb", choices=("up", "env", "down", "run"))
    parser.add_argument("command", nargs=argparse.REMAINDER, help="for run: the command and its arguments")
    args = parser.parse_args()
    try:
        if args.verb == "run":
            command = args.command[1:] if args.command[:1] == ["--"] else args.command
            return run(command) if command else parser.error("run needs a command")
        return {"up": up, "env": env, "down": down}[args.verb]()
    except Unavailable as reason:
        print(f"SKIPPED: no real S3 server here: {reason}", file=sys.stderr)
        in_ci = os.environ.get("TIERKEEPER_CI") == "1"
        return 1 if in_ci or args.verb == "up" else 0


if __name__ == "__main__":
    sys.exit(main())
