"""`make mutations`: breaks the rules one at a time in copies of the tree, and shows which test notices.

Fails if a mutant survives, if its text no longer stands there exactly once, if an unbroken copy does not pass its
tests, or if the tests did not import the copy.
"""

# ruff: noqa: T201  a script that prints a table

import argparse
import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import cast

from mutations import child
from mutations.mutant import Mutant, apply, rotten
from mutations.table import MUTANTS

ROOT = Path(__file__).parents[2]
_COPIED = ("tierkeeper", "models", "tasks", "worker", "client", "tests", "benchmarks", "docs", "docker")
_COPIED_FILES = ("beat_schedule.py", "pyproject.toml", "conftest.py", "README.md", "compose.yaml")
_LEFT = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.pyc", "build")
_TESTS_FAILED = 1  # pytest's exit code; others mean that it could not run them
_ENDED = -1  # their process ended without one, or was ended
_HANGS = 240  # seconds that a mutant's tests may take
_LONGEST = 3600  # seconds that a share of them may take in an unbroken copy
_OWN_FAULT = re.compile(r"\b(?:Attribute|Import|Name|Syntax|Type|UnboundLocal)Error\b")  # it broke Python, no rule
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([child.__name__, *child.LIBRARIES])


@dataclass(frozen=True, slots=True)
class Run:
    """What became of some tests in a copy."""

    code: int
    output: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether a test failed, and not the whole run, nor the mutant by a fault of its own."""
        return self.code == _TESTS_FAILED and not _OWN_FAULT.search(self.failed)

    @property
    def failed(self) -> str:
        """The first test that failed, and how."""
        lines = re.findall(r"^(FAILED|ERROR) (?:\S*/)?(\S+?::.*)$", self.output, re.MULTILINE)
        return max(lines, default=("", "?"))[1]  # rather what failed than what its teardown found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="make mutations", description=__doc__)
    parser.add_argument("only", nargs="*", help="words; only mutants with one of them in their name")
    parser.add_argument("--jobs", type=int, default=2, help="copies at work at the same time")
    options = parser.parse_args(arguments)
    chosen = [m for m in MUTANTS if not options.only or any(word in m.name for word in options.only)]
    wrong = [line for mutant in chosen for line in rotten(mutant, ROOT)]
    if wrong or not chosen:
        print(*wrong or ["no such mutant"], sep="\n")
        return 1
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trees = _copies(Path(folder), options.jobs)
        survivors = _all(chosen, trees)
    print(f"{len(chosen)} mutants, {len(survivors)} survived, {time.monotonic() - begun:.0f} s")
    return 1 if survivors else 0


def _copies(folder: Path, number: int) -> "SimpleQueue[Path]":
    trees: SimpleQueue[Path] = SimpleQueue()
    for index in range(number):
        tree = folder / str(index)
        tree.mkdir()
        for name in _COPIED:
            shutil.copytree(ROOT / name, tree / name, ignore=_LEFT)
        for name in _COPIED_FILES:
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, tree / name)
        compile_all = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(tree)]
        subprocess.run(compile_all, check=True)
        trees.put(tree)
    return trees


def _all(chosen: Sequence[Mutant], trees: "SimpleQueue[Path]") -> list[Mutant]:
    """Run the unbroken copies, then every mutant; return those that no test noticed."""
    jobs = trees.qsize()
    with ThreadPoolExecutor(jobs) as threads:
        shares = _shares({test for mutant in chosen for test in mutant.tests}, jobs)
        if not all(list(threads.map(lambda tests: _passes_unbroken(tests, trees), shares))):
            sys.exit(1)
        found = threads.map(lambda mutant: _one(mutant, trees), chosen)
        return [mutant for mutant, killed in zip(chosen, found, strict=True) if not killed]


def _shares(tests: Iterable[str], number: int) -> list[list[str]]:
    """Return the tests in as many lists of similar length or fewer, those of a file together."""
    shares: list[list[str]] = [[] for _ in range(number)]
    for _, those in groupby(sorted(tests), key=lambda test: test.partition("::")[0]):
        min(shares, key=len).extend(those)
    return [share for share in shares if share]


def _passes_unbroken(tests: Sequence[str], trees: "SimpleQueue[Path]") -> bool:
    tree = trees.get()
    whole = _tests(tree, tests, seconds=_LONGEST)
    trees.put(tree)
    print(f"{'unbroken':<70} {whole.seconds:5.1f} s  {'passes' if whole.code == 0 else 'FAILS'}", flush=True)
    if whole.code != 0:
        print(whole.output[-6000:])
    return whole.code == 0


def _one(mutant: Mutant, trees: "SimpleQueue[Path]") -> bool:
    tree = trees.get()
    before = apply(mutant, tree)
    try:
        run = _tests(tree, mutant.tests, seconds=_HANGS)
        if run.code == _ENDED and run.seconds < _HANGS:  # what ended it was not the mutant, or does so again
            run = _tests(tree, mutant.tests, seconds=_HANGS)
    finally:
        for path, text in before.items():
            path.write_text(text)
        trees.put(tree)
    what = f"killed by {run.failed}" if run.killed else f"SURVIVED (exit code {run.code}, {run.failed})"
    print(f"{mutant.name:<70} {run.seconds:5.1f} s  {what}", flush=True)
    if not run.killed and run.code != 0:
        print(run.output[-3000:])
    return run.killed


def _tests(tree: Path, tests: Sequence[str], *, seconds: int) -> Run:
    """Run tests in a copy, whose code comes first on the path; stop at the first failure."""
    output, code = tree / "output", tree / "code"
    for left in (output, code):
        left.unlink(missing_ok=True)
    process = _PROCESSES.Process(target=child.run, args=(tree, tests, output, code))
    begun = time.monotonic()
    process.start()
    process.join(seconds)
    with contextlib.suppress(ProcessLookupError):  # also what the tests left behind
        os.killpg(cast("int", process.pid), signal.SIGKILL)
    process.join()
    text = output.read_text(errors="replace") if output.exists() else ""
    return Run(int(code.read_text()) if code.exists() else _ENDED, text, time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
