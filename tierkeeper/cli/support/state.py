"""The values of the global options. Imports nothing heavy, since ``--help`` and completion load no more than this."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tierkeeper.cli.support import output

if TYPE_CHECKING:
    from tierkeeper.cli.support.output import Output


class State:
    """The global options; :class:`tierkeeper.cli.support.session.Session` opens what a command works with."""

    def __init__(self) -> None:
        self.home: Path | None = None
        self.config: Path | None = None
        self.utc = False

    @cached_property
    def output(self) -> "Output":
        """The output of this invocation, with the options that are given so far."""
        return output.Output()
