"""Converge: claims due artifacts, copies what is missing, commits, dooms unwanted copies; and the rotation over it.

It deletes no bytes: that is done by :mod:`tierkeeper.engine.collect`.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
