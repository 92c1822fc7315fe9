"""Parked artifacts: found by what they are called and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

_COLUMNS = (
    "s.artifact_id, s.tenant, n.workflow, n.name, a.version, s.step, s.parked_reason, s.attempts, s.due_at"
    " FROM schedule s JOIN artifacts a ON a.id = s.artifact_id JOIN names n ON n.id = a.name_id"
    " WHERE s.parked_reason IS NOT NULL"
)
_STILL = sa.text("SELECT artifact_id FROM schedule WHERE artifact_id = ANY(:ids) AND parked_reason IS NOT NULL")
_END = sa.text("DELETE FROM schedule WHERE artifact_id = ANY(:ids)")


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
    equal: Mapping[str, str | None],
    like: Mapping[str, str | None],
    version: int | None,
    reason: str | None,
    item: str | None,
    after: UUID,
    limit: int,
) -> list[ParkedRow]:
    """Return a page of the parked, by id: names that are ``equal``, or match a regular expression (``like``)."""
    conditions = ["s.artifact_id > :after"]
    arguments: dict[str, Any] = {"after": after, "limit": limit}
    columns = {"tenant": "s.tenant", "workflow": "n.workflow", "name": "n.name"}
    for operator, given in (("=", equal), ("~", like)):
        for name, value in given.items():
            if value is not None:
                conditions.append(f"{columns[name]} {operator} :{name}")
                arguments[name] = value
    exact: tuple[tuple[str, str, str | int | None], ...] = (
        ("version", "a.version = :version", version),
        ("reason", "strpos(lower(s.parked_reason), lower(:reason)) > 0", reason),
        ("item", "CAST(s.artifact_id AS text) = :item", item),
    )
    for name, condition, asked in exact:
        if asked is not None:
            conditions.append(condition)
            arguments[name] = asked
    query = sa.text(f"SELECT {_COLUMNS} AND {' AND '.join(conditions)} ORDER BY s.artifact_id LIMIT :limit")
    return [
        ParkedRow(
            row.artifact_id,
            row.tenant,
            row.workflow,
            row.name,
            row.version,
            row.step,
            row.parked_reason,
            row.attempts,
            row.due_at,
        )
        for row in connection.execute(query, arguments)
    ]


def still(connection: sa.Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these artifacts, whose rows are locked, that are parked."""
    return set(connection.execute(_STILL, {"ids": list(ids)}).scalars())


def end(connection: sa.Connection, ids: Collection[UUID]) -> None:
    """Take these locked rows out: nothing comes for their artifacts by itself."""
    connection.execute(_END, {"ids": list(ids)})
