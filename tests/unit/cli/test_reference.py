"""The documentation of the command line."""

import importlib
import inspect
import pkgutil
import re
from operator import attrgetter
from pathlib import Path

import click

import tierkeeper.cli
from tierkeeper.cli.main import COMMANDS
from tierkeeper.cli.reference import reference
from tierkeeper.cli.support.interruption import SIGNALS
from tierkeeper_client.errors import TierkeeperError
from worker import watchdog

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_the_reference_is_that_of_the_commands() -> None:
    """docs/reference/cli.md is what `python -m tierkeeper.cli.reference` writes, and leaves no command out."""
    page = reference()
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == page
    assert all(f"## tierkeeper {name}" in page for name in COMMANDS)


def _errors(kind: type[TierkeeperError]) -> set[type[TierkeeperError]]:
    return {kind}.union(*(_errors(child) for child in kind.__subclasses__()))


def _given_to_exit() -> set[int]:
    """Return the constants with which commands end, by their names where they are given to ``exit``."""
    codes = set()
    for module in pkgutil.walk_packages(tierkeeper.cli.__path__, "tierkeeper.cli."):
        code = importlib.import_module(module.name)
        for name in re.findall(r"\.exit\(([\w.]*[A-Z_]{3,})\)", inspect.getsource(code)):
            codes.add(attrgetter(name)(code))
    assert len(codes) >= 3
    return codes


def test_every_exit_code_of_an_error_is_documented() -> None:
    """docs/reference/exit-codes.md explains each code with which an error, a command or a worker ends, and no other."""
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE)}
    ends = {error.exit_code for error in _errors(TierkeeperError)} | _given_to_exit()
    signalled = {128 + number for number in SIGNALS}
    unexpected = 1
    assert documented == ends | signalled | {0, unexpected, click.UsageError.exit_code, watchdog.EXIT_CODE}
