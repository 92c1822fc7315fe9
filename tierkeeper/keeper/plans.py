"""Plans: the actions that a run would take, item by item; make, store and apply them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import plans
from tierkeeper.engine.context import Engine
from tierkeeper.engine.plans import apply, preview, stored
from tierkeeper.values.plans import AppliedItem, PlanItemView, PlanView
from tierkeeper.values.progress import ProgressCallback


@dataclass(frozen=True, slots=True)
class Plans:
    """The resource ``keeper.plans``."""

    engine: Engine

    def due(
        self, *, tenant: str | None = None, as_of: datetime | None = None, limit: int | None = None
    ) -> Iterator[PlanItemView]:
        """Yield the actions that a rotation would take, with reasons, at ``as_of`` (None: now)."""
        return preview.due(self.engine, tenant=tenant, as_of=as_of, limit=limit)

    def view(
        self, *, tenant: str | None, as_of: datetime | None, policies: str | None = None, source: str = ""
    ) -> "preview.View":
        """Return the view of a plan: tenant, time, and policies; ``policies``: YAML or JSON that is not active yet."""
        return preview.view_of(self.engine, tenant=tenant, as_of=as_of, text=policies, source=source)

    def summary(self) -> "stored.Summary":
        """Return an empty summary, for ``items`` to add up in."""
        return stored.Summary()

    def items(
        self, view: "preview.View", summary: "stored.Summary", *, limit: int | None = None
    ) -> Iterator[PlanItemView]:
        """Yield the actions of a run in that view over all artifacts, and add them up in ``summary``."""
        return stored.summed(self.engine, view, summary, limit=limit)

    def sums(self, view: "preview.View", summary: "stored.Summary") -> dict[str, Any]:
        """Return the totals of a plan whose items were all consumed."""
        with self.engine.catalog.reading() as connection:
            return summary.as_json(connection, self.engine, view)

    def store(
        self, view: "preview.View", *, caller: Caller, expires: timedelta, progress: ProgressCallback | None = None
    ) -> PlanView:
        """Make a plan and store it for an apply within ``expires``."""
        return stored.store(self.engine, view, caller=caller, expires=expires, progress=progress)

    def latest(self, *, limit: int = 20) -> list[PlanView]:
        """Return the newest stored plans."""
        with self.engine.catalog.reading() as connection:
            return plans.latest(connection, limit=limit)

    def apply(
        self, identity: UUID, *, caller: Caller, dry_run: bool = False, progress: ProgressCallback | None = None
    ) -> Iterator[AppliedItem]:
        """Carry out the items of a stored plan whose artifacts have not changed since; yield each item's outcome."""
        return apply.apply(self.engine, identity, caller=caller, dry_run=dry_run, progress=progress)
