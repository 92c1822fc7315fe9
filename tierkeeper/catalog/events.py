"""The audit log: one line a state change, in its transaction."""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.event import EVENTS
from models.history import HISTORY
from tierkeeper.audit.artifacts import ArtifactPayload
from tierkeeper.audit.kinds import EventType
from tierkeeper.audit.payload import Payload
from tierkeeper.audit.position import Position
from tierkeeper.base.errors import InvalidPosition
from tierkeeper.catalog import recordset, segments
from tierkeeper.catalog.rows import ArtifactRow, EndedArtifact
from tierkeeper.catalog.statements import anew, typed
from tierkeeper.catalog.tenant_filter import of_tenant
from tierkeeper.values.events import EventView

_DAY = 86400.0
_NO_SUBJECT = UUID(int=0)
_COLUMNS = ", ".join(EVENTS.c.keys())
#: what happened, and what stays of it where its month is detached
_LOGS = EVENTS, HISTORY
#: true where an event's position is final: every transaction that could still come before it has ended
_SETTLED = "(cluster <> events_cluster() OR xid < pg_snapshot_xmin(pg_current_snapshot()))"
#: the clusters that wrote events, in the order of their first events; the present one is last
_CLUSTERS = sa.text("""
    WITH RECURSIVE found AS (
        (SELECT cluster FROM events ORDER BY cluster LIMIT 1)
        UNION ALL
        SELECT (SELECT e.cluster FROM events e WHERE e.cluster > found.cluster ORDER BY e.cluster LIMIT 1)
        FROM found WHERE found.cluster IS NOT NULL
    )
    SELECT cluster FROM found WHERE cluster IS NOT NULL
    ORDER BY cluster = events_cluster(),
        (SELECT e.at FROM events e WHERE e.cluster = found.cluster ORDER BY e.xid, e.subject, e.revision LIMIT 1),
        cluster
""")
_AFTER = sa.text(f"""
    SELECT {_COLUMNS}, true AS settled FROM events
    WHERE cluster = :cluster AND (xid, subject, revision) > (CAST(:xid AS xid8), :subject, :revision) AND {_SETTLED}
    ORDER BY xid, subject, revision LIMIT :limit
""").bindparams(*typed(subject="uuid"))

#: by the index of positions: only those from the first open transaction on are looked at
_UNSETTLED = sa.text("""
    SELECT EXISTS (
        SELECT
        FROM events
        WHERE cluster = events_cluster()
            AND xid >= pg_snapshot_xmin(pg_current_snapshot())
            AND at >= :since
            AND at < :until
    )
""")
_HORIZON = sa.text("SELECT events_cluster() AS cluster, CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS xid")
_FROM_HORIZON = sa.text("""
    SELECT EXISTS (
        SELECT
        FROM events
        WHERE cluster = :cluster
            AND xid >= CAST(:xid AS xid8)
            AND at >= :since
            AND at < :until
    )
""")


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where the order of events is final: all of ``cluster`` from transactions before ``xid`` can be seen."""

    cluster: str
    xid: int


@dataclass(frozen=True, slots=True)
class Line:
    """One event to write. ``revision`` is the subject's own, raised under its lock."""

    subject: UUID
    revision: int
    payload: Payload
    actor: str
    tenant: str | None = None
    workflow: str | None = None
    name: str | None = None
    version: int | None = None
    policy: str | None = None
    run: UUID | None = None
    correlation: str | None = None
    age_days: float | None = None


def of_artifact(
    row: ArtifactRow | EndedArtifact,
    payload: ArtifactPayload,
    *,
    revision: int,
    now: datetime,
    actor: str,
    policy: str | None = None,
    run: UUID | None = None,
    correlation: str | None = None,
) -> Line:
    """Return the event of a change of an artifact; ``revision`` is the artifact's after the change."""
    return Line(
        subject=row.id,
        revision=revision,
        payload=payload,
        actor=actor,
        tenant=row.tenant,
        workflow=row.workflow,
        name=row.name,
        version=row.version,
        policy=policy,
        run=run,
        correlation=correlation or None,
        age_days=age_days(row, now),
    )


def age_days(row: ArtifactRow | EndedArtifact, at: datetime) -> float:
    """Return an artifact's age at a moment, in days, as its events have it."""
    return round((at - row.created_at).total_seconds() / _DAY, 3)


def append(connection: sa.Connection, lines: Sequence[Line], *, at: datetime) -> None:
    """Write the lines, all with the one time of their transaction."""
    sides = [line.payload.as_json() for line in lines]
    rows = [
        {
            "subject": line.subject,
            "revision": line.revision,
            "at": at,
            "type": line.payload.type.value,
            "tenant": line.tenant,
            "workflow": line.workflow,
            "name": line.name,
            "version": line.version,
            "actor": line.actor,
            "before": before,
            "after": after,
            "policy": line.policy,
            "run_id": line.run,
            "correlation": line.correlation,
            "age_days": line.age_days,
        }
        for line, (before, after) in zip(lines, sides, strict=True)
    ]
    recordset.insert(connection, EVENTS, rows)


def next_revision(connection: sa.Connection, subject: UUID) -> int:
    """Return the revision of the next event of a subject without a revision of its own, which the caller has locked."""
    lasts = (sa.select(sa.func.max(table.c.revision)).where(table.c.subject == subject) for table in _LOGS)
    return max(int(last or 0) for last in connection.execute(sa.union_all(*lasts)).scalars()) + 1


def append_next(connection: sa.Connection, subject: UUID, payload: Payload, *, by: str, at: datetime) -> None:
    """Write one event of a subject without a revision of its own, which the caller has locked."""
    revision = next_revision(connection, subject)
    append(connection, [Line(subject=subject, revision=revision, payload=payload, actor=by)], at=at)


#: the end of a placement, or a decision about bytes without one; no other event has a placement for its subject
_ENDS = (EventType.COLLECTED, EventType.LEFT_OVER, EventType.LEFT_ASIDE)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a placement, and the location of its bytes."""

    type: EventType
    tier: str
    location: str


def ends_of(connection: sa.Connection, placements: Collection[UUID]) -> dict[UUID, End]:
    """Return the ends of those of these placements that ended in this catalog, however long ago."""
    ends = (
        sa.select(log.c.subject, log.c.type, log.c.before).where(log.c.subject.in_(placements), log.c.type.in_(_ENDS))
        for log in _LOGS
    )
    return {
        row.subject: End(EventType(row.type), row.before["tier"], row.before["location"])
        for row in (connection.execute(sa.union_all(*ends)) if placements else ())
    }


def query(
    connection: sa.Connection,
    *,
    tenant: str | None = None,
    subjects: Sequence[UUID] | sa.Select[UUID] | None = None,
    type_: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = True,
) -> Generator[EventView]:
    """Stream the events that match, by time: from ``since`` on, before ``until``; ``subjects``: an empty list has none.

    Of ``subjects`` that are a query there may be any number.
    ``type_`` is a stored name of :class:`EventType`. One statement runs as long as the caller iterates.
    """
    order = sa.desc if newest_first else sa.asc
    statement = sa.select(EVENTS, sa.literal_column(_SETTLED).label("settled"))
    statement = statement.where(*of_tenant(EVENTS.c.tenant, tenant))
    statement = statement.order_by(order(EVENTS.c.at), order(EVENTS.c.subject), order(EVENTS.c.revision))
    if subjects is not None:
        # one parameter, however many: a statement takes no more than 65 535
        wanted = (
            sa.func.array(subjects.scalar_subquery())
            if isinstance(subjects, sa.Select)
            else sa.bindparam("subjects", list(subjects), ARRAY(sa.Uuid()))
        )
        statement = statement.where(EVENTS.c.subject == sa.func.any(wanted))
    if type_ is not None:
        statement = statement.where(EVENTS.c.type == type_)
    if since is not None:
        statement = statement.where(EVENTS.c.at >= since)
    if until is not None:
        statement = statement.where(EVENTS.c.at < until)
    if limit is not None:
        statement = statement.limit(limit)
    with connection.execution_options(yield_per=1000).execute(
        anew(statement)
    ) as rows:  # the caller may end before they do
        for row in rows:
            yield _view(row)


def after(connection: sa.Connection, position: Position | None, *, limit: int) -> list[EventView]:
    """Return the next events in their order, at most ``limit``; None: from the first on.

    No event that is not returned yet can come to stand before the last one returned, however long its transaction
    takes. Raises InvalidPosition where no event of this catalog is of the position's cluster, and where events after it
    were detached. Who begins gets at once all that stands among those, beyond ``limit`` too, and can continue.
    """
    clusters = list(connection.execute(_CLUSTERS).scalars())
    if position is not None and position.cluster not in (*clusters, *segments.ends(connection)):
        raise InvalidPosition(position=str(position), problem="no event of this catalog is of its cluster")
    views = _next(connection, clusters, position, limit=limit)
    ends = segments.ends(connection)  # asked last, as a month may go at any moment
    if position is not None:
        if _detached_after(ends, position):
            problem = "events after it are in files, detached from the catalog (`tierkeeper events --oldest-first`)"
            raise InvalidPosition(position=str(position), problem=problem)
        return views
    while views and _detached_after(ends, last := Position.read(str(views[-1].position))):
        more = _next(connection, clusters, last, limit=limit)
        if not more:
            break
        views += more
    return views


def _next(
    connection: sa.Connection, clusters: Sequence[str], position: Position | None, *, limit: int
) -> list[EventView]:
    begins = [Position(cluster, 0, _NO_SUBJECT, 0) for cluster in clusters]
    if position is not None and position.cluster in clusters:
        begins = [position, *begins[clusters.index(position.cluster) + 1 :]]
    views: list[EventView] = []
    for begin in begins:
        given = {**asdict(begin), "xid": str(begin.xid), "limit": limit - len(views)}
        views += map(_view, connection.execute(_AFTER, given))
    return views


def _detached_after(ends: Mapping[str, Position], position: Position) -> bool:
    """Return whether events after a position were detached."""
    return position.cluster in ends and (position.cluster != [*ends][-1] or position.key < ends[position.cluster].key)


def horizon(connection: sa.Connection) -> Horizon:
    """Return the horizon of the connection's snapshot."""
    row = connection.execute(_HORIZON).one()
    return Horizon(row.cluster, int(row.xid))


def any_from(connection: sa.Connection, begin: Horizon, *, since: datetime, until: datetime) -> bool:
    """Return whether the horizon's server has written an event of that time at the horizon or after it."""
    found = {"cluster": begin.cluster, "xid": str(begin.xid), "since": since, "until": until}
    return bool(connection.execute(_FROM_HORIZON, found).scalar_one())


def unsettled(connection: sa.Connection, *, since: datetime, until: datetime) -> bool:
    """Return whether an event of this time has no final position yet."""
    return bool(connection.execute(_UNSETTLED, {"since": since, "until": until}).scalar_one())


def _view(row: Any) -> EventView:  # noqa: ANN401  a row of two statements, each typed by SQLAlchemy in its own way
    position = Position(row.cluster, int(row.xid), row.subject, row.revision)
    return EventView(
        subject=row.subject,
        revision=row.revision,
        at=row.at,
        type=row.type,
        tenant=row.tenant,
        workflow=row.workflow,
        name=row.name,
        version=row.version,
        actor=row.actor,
        before=row.before,
        after=row.after,
        policy=row.policy,
        run=row.run_id,
        correlation=row.correlation,
        age_days=row.age_days,
        position=str(position) if row.settled else None,
    )
