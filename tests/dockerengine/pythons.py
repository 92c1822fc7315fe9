"""The whole way of a newcomer on other Pythons: a clean tree, ``make demo``, tests, each in a container, as a user.

The Pythons are Debian's, because no image need be pulled for them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dockerengine import debian
from dockerengine.engine import Engine

ROOT = Path(__file__).parents[2]
#: version: the suite that has it, and the packages; ``make`` and a C-less venv are all that a newcomer needs
PYTHONS = {
    "3.13": ("trixie", ("python3", "python3-venv", "make")),
    "3.14": ("forky", ("python3.14", "python3.14-venv", "make")),
}
USER = "newcomer"  # PostgreSQL refuses to run as root
SCRIPT = """
set -e
tar --extract
make demo PYTHON=python{version} COUNT=100
make test PYTEST=".venv/bin/python -m pytest {tests}" JOBS={jobs}
"""


def image(engine: Engine, version: str) -> str:
    """Return the image of a Python, made where it is not there. Raises Unavailable."""
    name = f"tierkeeper-python:{version}"
    if engine.docker("image", "inspect", name).returncode != 0:
        suite, packages = PYTHONS[version]
        made = debian.archive(suite, packages, hooks=[f'chroot "$1" useradd --create-home {USER}'])
        debian.load(engine, name, made, changes=(f"USER {USER}", f"WORKDIR /home/{USER}", "ENV LC_ALL=C.UTF-8"))
    return name


def tried(engine: Engine, version: str, *, tests: str, jobs: int) -> bool:
    """Run it all in one container, with its output on ours, and say whether all of it passed."""
    began = time.monotonic()
    script = SCRIPT.format(version=version, tests=tests, jobs=jobs)
    command = ["docker", "run", "--rm", "--init", "--interactive", image(engine, version), "sh", "-c", script]
    tree = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    done = subprocess.run(command, input=tree, env={**os.environ, **engine.environment}, check=False)
    how = "passed" if done.returncode == 0 else f"FAILED with exit code {done.returncode}"
    print(f"Python {version}: {how} in {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201  the answer
    return done.returncode == 0


def all_tried(engine: Engine, versions: Sequence[str], *, tests: str, jobs: int) -> bool:
    """Try each, also after one that failed."""
    failed = [version for version in versions if not tried(engine, version, tests=tests, jobs=jobs)]
    return not failed
