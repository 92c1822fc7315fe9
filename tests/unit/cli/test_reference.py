"""The documentation of the command line."""

import re
from pathlib import Path

from tierkeeper.cli.main import COMMANDS
from tierkeeper.cli.reference import reference
from tierkeeper_client.errors import TierkeeperError

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_the_reference_is_that_of_the_commands() -> None:
    """docs/reference/cli.md is what `python -m tierkeeper.cli.reference` writes, and leaves no command out."""
    page = reference()
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == page
    assert all(f"## tierkeeper {name}" in page for name in COMMANDS)


def _errors(kind: type[TierkeeperError]) -> set[type[TierkeeperError]]:
    return {kind}.union(*(_errors(child) for child in kind.__subclasses__()))


def test_every_exit_code_of_an_error_is_documented() -> None:
    """No error ends with a code that docs/reference/exit-codes.md does not explain."""
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE)}
    assert {error.exit_code for error in _errors(TierkeeperError)} <= documented
