"""Parked artifacts: found by name, version, reason or id, page by page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.schedule import SCHEDULE
from tierkeeper.catalog.artifacts import ARTIFACT, NAME, NAMED
from tierkeeper.catalog.statements import where_given
from tierkeeper.catalog.tenant_filter import of_tenant

_STILL = sa.text("SELECT artifact_id FROM schedule WHERE artifact_id = ANY(:ids) AND parked_reason IS NOT NULL")
_END = sa.text("DELETE FROM schedule WHERE artifact_id = ANY(:ids)")
_SCHEDULE = SCHEDULE.alias("s")
_CALLED = {"workflow": NAME.c.workflow, "name": NAME.c.name}
#: in the order of ParkedRow's fields
_PARKED: sa.Select[*tuple[Any, ...]] = sa.select(
    _SCHEDULE.c.artifact_id,
    _SCHEDULE.c.tenant,
    *_CALLED.values(),
    ARTIFACT.c.version,
    _SCHEDULE.c.step,
    _SCHEDULE.c.parked_reason,
    _SCHEDULE.c.attempts,
    _SCHEDULE.c.due_at,
).select_from(_SCHEDULE.join(NAMED, ARTIFACT.c.id == _SCHEDULE.c.artifact_id))


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """One parked artifact; ``since`` is when it was parked."""

    artifact: UUID
    tenant: str
    workflow: str
    name: str
    version: int
    step: str
    reason: str
    attempts: int
    since: datetime


def select(
    connection: sa.Connection,
    *,
    tenant: str | None,
    like: Mapping[str, str | None],
    version: int | None,
    reason: str | None,
    item: str | None,
    after: UUID,
    limit: int,
) -> list[ParkedRow]:
    """Return a page of parked artifacts, by id; ``like``: regular expressions of their names."""
    statement = _PARKED.where(
        _SCHEDULE.c.parked_reason.is_not(None),
        _SCHEDULE.c.artifact_id > after,
        *of_tenant(_SCHEDULE.c.tenant, tenant),
        *(_CALLED[name].regexp_match(value) for name, value in like.items() if value is not None),
        *where_given(version, lambda number: ARTIFACT.c.version == number),
        *where_given(
            reason, lambda text: sa.func.strpos(sa.func.lower(_SCHEDULE.c.parked_reason), sa.func.lower(text)) > 0
        ),
        *where_given(item, lambda named: sa.cast(_SCHEDULE.c.artifact_id, sa.Text) == named),
    )
    return [ParkedRow(*row) for row in connection.execute(statement.order_by(_SCHEDULE.c.artifact_id).limit(limit))]


def still(connection: sa.Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return the parked ones of these artifacts, whose rows are locked."""
    return set(connection.execute(_STILL, {"ids": list(ids)}).scalars())


def end(connection: sa.Connection, ids: Collection[UUID]) -> None:
    """Delete these locked rows: no step of their artifacts comes due by itself."""
    connection.execute(_END, {"ids": list(ids)})
