"""Physical deletes: whether they are on, and to switch them."""

from dataclasses import dataclass

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import switches
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.values.deletes import DeletesView


@dataclass(frozen=True, slots=True)
class Deletes:
    """Part of :class:`tierkeeper.keeper.Keeper`."""

    engine: Engine

    def show(self) -> DeletesView:
        """Say whether anything may be deleted physically."""
        with self.engine.catalog.reading() as connection:
            return switches.deletes(connection)

    def switch(self, *, enabled: bool, caller: Caller, reason: str) -> DeletesView:
        """Let collect and reconcile delete, or not."""

        def unit(connection: sa.Connection) -> None:
            now = catalog_now(connection)
            switches.set_deletes(connection, enabled=enabled, by=caller.actor, reason=reason, now=now)

        self.engine.catalog.run(unit)
        return self.show()
