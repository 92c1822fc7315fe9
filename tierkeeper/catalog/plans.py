"""Stored plans and their items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.plan import PLANS
from models.plan_item import PLAN_ITEMS
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import recordset
from tierkeeper.catalog.statements import listed, typed
from tierkeeper.values.plans import PlanView


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """The decision of a plan for one artifact."""

    artifact: UUID
    revision: int
    policy: str
    action: str
    target: tuple[str, ...]
    blocked: str


_COLUMNS = listed(PlannedArtifact.__dataclass_fields__, artifact="artifact_id")
_FINISH = sa.text("UPDATE plans SET summary = :summary WHERE id = :id").bindparams(*typed(summary="jsonb"))
_APPLIED = sa.text("UPDATE plans SET applied_run_id = :run WHERE id = :id")
_LEFT = sa.text(f"""
    SELECT {_COLUMNS}
    FROM plan_items
    WHERE plan_id = :plan AND artifact_id > :after AND (outcome IS NULL OR :all)
    ORDER BY artifact_id LIMIT :limit
""")
_OUTCOMES = sa.text("""
    UPDATE plan_items
    SET outcome = w.outcome
    FROM unnest(:ids, :outcomes) AS w(id, outcome)
    WHERE plan_id = :plan AND artifact_id = w.id
""").bindparams(*typed(ids="uuid[]", outcomes="text[]"))
_FORGET_ITEMS = sa.text("""
    DELETE FROM plan_items
    WHERE (plan_id, artifact_id) IN (
        SELECT i.plan_id, i.artifact_id
        FROM plans p JOIN plan_items i ON i.plan_id = p.id
        WHERE p.expires_at < statement_timestamp() - :kept
        LIMIT :limit
    )
""")
_FORGET = sa.text("""
    DELETE FROM plans
    WHERE expires_at < statement_timestamp() - :kept
        AND NOT EXISTS (SELECT FROM plan_items i WHERE i.plan_id = plans.id)
""")


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as its apply needs it; ``finished``: all its items were written."""

    view: PlanView
    policies: Mapping[str, Any]
    finished: bool


def begin(
    connection: sa.Connection,
    *,
    as_of: datetime,
    policies: Mapping[str, Any],
    arguments: Mapping[str, Any],
    by: str,
    now: datetime,
    expires: timedelta,
) -> UUID:
    """Record a plan that is being made; it cannot be applied before :func:`finish`."""
    identity = new_id()
    values = {"id": identity, "as_of": as_of, "policies": dict(policies), "arguments": dict(arguments), "by": by}
    connection.execute(sa.insert(PLANS).values(**values, made_at=now, expires_at=now + expires))
    return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """The planned change of one artifact, as it was at ``revision``."""

    artifact_id: UUID
    revision: int
    policy: str
    action: str
    target: list[str]
    rule: str
    reason: str
    blocked: str


def add(connection: sa.Connection, plan: UUID, rows: Sequence[NewItem]) -> None:
    """Write some items of a plan."""
    recordset.insert(connection, PLAN_ITEMS, [{**recordset.columns(row), "plan_id": plan} for row in rows])


def finish(connection: sa.Connection, plan: UUID, *, summary: Mapping[str, Any]) -> None:
    """Write the summary of all items, which completes the plan."""
    connection.execute(_FINISH, {"id": plan, "summary": dict(summary)})


def load(connection: sa.Connection, plan: UUID, *, lock: bool = False) -> StoredPlan | None:
    """Return a plan, locked until the transaction ends if asked."""
    statement = sa.select(PLANS).where(PLANS.c.id == plan)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _stored(row)


def latest(connection: sa.Connection, *, limit: int) -> list[PlanView]:
    """Return the newest plans; those of a clock that was ahead come last, since when they were made is not known."""
    ahead = PLANS.c.made_at > sa.func.statement_timestamp()
    statement = sa.select(PLANS).order_by(ahead, PLANS.c.made_at.desc(), PLANS.c.id.desc()).limit(limit)
    return [_stored(row).view for row in connection.execute(statement)]


def applied(connection: sa.Connection, plan: UUID, *, run: UUID) -> None:
    """Record the run that applies a plan."""
    connection.execute(_APPLIED, {"id": plan, "run": run})


def items(
    connection: sa.Connection, plan: UUID, *, after: UUID, limit: int, everything: bool = False
) -> list[PlannedArtifact]:
    """Return items that have no outcome yet (or all), after an artifact, in their order."""
    arguments = {"plan": plan, "after": after, "limit": limit, "all": everything}
    return [
        PlannedArtifact(**{**row._mapping, "target": tuple(row.target)})  # noqa: SLF001  SQLAlchemy's public name
        for row in connection.execute(_LEFT, arguments)
    ]


def write_outcomes(connection: sa.Connection, plan: UUID, outcomes: Mapping[UUID, str]) -> None:
    """Write the outcomes of items."""
    ids = sorted(outcomes)
    connection.execute(_OUTCOMES, {"plan": plan, "ids": ids, "outcomes": [outcomes[i] for i in ids]})


def forget_items(connection: sa.Connection, *, kept: timedelta, limit: int) -> int:
    """Delete some items of plans that expired long ago; return how many."""
    return connection.execute(_FORGET_ITEMS, {"kept": kept, "limit": limit}).rowcount


def forget(connection: sa.Connection, *, kept: timedelta) -> int:
    """Delete the plans that expired long ago and have no items left; return how many."""
    return connection.execute(_FORGET, {"kept": kept}).rowcount


def _stored(row: Any) -> StoredPlan:  # noqa: ANN401  a driver's row
    view = PlanView(
        id=row.id,
        as_of=row.as_of,
        by=row.by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        arguments=row.arguments,
        summary=row.summary,
        applied_by=row.applied_run_id,
    )
    return StoredPlan(view, row.policies, finished=bool(row.summary))
