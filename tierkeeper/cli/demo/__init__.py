"""The content and the steps of ``tierkeeper demo``; the command itself is in :mod:`tierkeeper.cli.commands`."""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
