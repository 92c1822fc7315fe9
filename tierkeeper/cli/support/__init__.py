"""Shared code of the commands: output, parameters, the session, the processes of ``up``. No command is here.

What a command takes as ``from tierkeeper.cli.support import output`` is loaded when the command runs, not for its help.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
