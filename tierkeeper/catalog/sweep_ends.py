"""How the sweeps that Beat begins have ended lately, read from their runs by index."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from tierkeeper.base.states import RunKind
from tierkeeper.catalog.statements import typed

#: kinds of runs that are begun again and again; an operator's own (a purge, a plan, a rebuild) ends before their eyes
SWEEPS: Final = tuple(kind for kind in RunKind if kind not in {RunKind.PURGE, RunKind.APPLY, RunKind.REBUILD})
#: a failure that was not repeated for so long is over: what it left was done otherwise, and a run begins only for work
FORGOTTEN: Final = timedelta(days=2)

# a run of the future was written by a clock that was ahead: it is no last one
_FAILING: Final = sa.text("""
    SELECT k.kind, f.since, f.at, f.reason
    FROM unnest(:kinds) AS k(kind)
    LEFT JOIN LATERAL (
        SELECT started_at
        FROM runs
        WHERE kind = k.kind
            AND state = 'done'
            AND started_at BETWEEN statement_timestamp() - :looked AND statement_timestamp()
            -- a success with a part says nothing of the rest
            AND tenant IS NULL
            AND NOT arguments ? 'part'
        ORDER BY started_at DESC LIMIT 1
    ) AS good ON true
    CROSS JOIN LATERAL (
        SELECT min(CASE kind WHEN 'recompute' THEN started_at ELSE finished_at END) AS since,
            max(coalesce(finished_at, statement_timestamp())) AS at,
            (array_agg(coalesce(arguments ->> 'reason', :silence) ORDER BY started_at DESC))[1] AS reason
        FROM runs
        WHERE kind = k.kind
            AND (
                state IN ('failed', 'abandoned')
                OR (kind = 'recompute' AND state = 'running' AND seen_at < statement_timestamp() - :silent)
            )
            -- each recompute is one edit's: no other's success ends it, and it fails since its beginning
            AND started_at BETWEEN CASE k.kind
                    WHEN 'recompute' THEN CAST('-infinity' AS timestamptz)
                    ELSE coalesce(good.started_at, statement_timestamp() - :looked)
                END AND statement_timestamp()
    ) AS f
    WHERE f.at > statement_timestamp() - :forgotten
    ORDER BY k.kind
""").bindparams(*typed(kinds="text[]", silence="text"))
_LAST_DONE: Final = sa.text("""
    SELECT finished_at
    FROM runs
    WHERE kind = :kind
        AND state = 'done'
        AND started_at <= statement_timestamp()
    ORDER BY started_at DESC LIMIT 1
""")
#: the first of the built-in policies, which `init` makes and which stays
_BEGUN: Final = sa.text("SELECT active_from FROM policies ORDER BY id LIMIT 1")
_LOOKED: Final = timedelta(days=7)  # rotations begin each minute
_SILENT: Final = timedelta(hours=1)  # Beat sends a recompute every five minutes
_SILENCE: Final = "it waits, and for an hour no worker has continued it"
#: above which the last dump is too old: Beat sends one a day
DUMP_AGE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class FailingSweep:
    """The failures of a sweep since its last success: when the first and the last ended, and the reason of the last."""

    since: datetime
    at: datetime
    reason: str


def failing(connection: sa.Connection) -> Mapping[RunKind, FailingSweep]:
    """Return the sweeps whose last run failed, or was abandoned, lately."""
    rows = connection.execute(
        _FAILING,
        {
            "kinds": [kind.value for kind in SWEEPS],
            "looked": _LOOKED,
            "forgotten": FORGOTTEN,
            "silent": _SILENT,
            "silence": _SILENCE,
        },
    )
    return {RunKind(row.kind): FailingSweep(row.since, row.at, row.reason or "") for row in rows}


def last_done(connection: sa.Connection, kind: RunKind) -> datetime | None:
    """Return when the last run of this kind that succeeded ended; None if none has."""
    at: datetime | None = connection.execute(_LAST_DONE, {"kind": kind.value}).scalar()
    return at


def begun(connection: sa.Connection) -> datetime | None:
    """Return when the catalog was made, before which no sweep can have ended; None where `init` has not ended."""
    at: datetime | None = connection.execute(_BEGUN).scalar()
    return at
