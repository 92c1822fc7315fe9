"""The switch for physical deletes."""

from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import switches
from tierkeeper.engine.context import Engine
from tierkeeper.values.deletes import DeletesView


@dataclass(frozen=True, slots=True)
class Deletes:
    """The resource ``keeper.deletes``."""

    engine: Engine

    def show(self) -> DeletesView:
        """Return whether physical deletes are enabled, and the actor who set it, the time and the reason."""
        with self.engine.catalog.reading() as connection:
            return switches.deletes(connection)

    def switch(self, *, enabled: bool, caller: Caller, reason: str) -> DeletesView:
        """Enable or disable the physical deletes of collect and reconcile."""
        self.engine.catalog.run(caller, switches.set_deletes, enabled=enabled, by=caller.actor, reason=reason)
        return self.show()
