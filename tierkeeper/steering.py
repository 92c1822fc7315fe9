"""The operator's part of the facade: what is stuck, stopped, planned or wrong, and what to do about it.

Reached as ``keeper.steer``; everything that stores, reads and moves is on the keeper itself.
"""

from dataclasses import dataclass

from tierkeeper.engine.context import Engine


@dataclass(frozen=True, slots=True)
class Steering:
    """What an operator sees and decides."""

    engine: Engine
