"""The values of the global options. Imports nothing heavy, since ``--help`` and completion load no more than this."""

from pathlib import Path

from tierkeeper.cli.support.output import Output


class State:
    """The global options; :class:`tierkeeper.cli.support.session.Session` opens what a command works with."""

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()
        self.home: Path | None = None
        self.config: Path | None = None
