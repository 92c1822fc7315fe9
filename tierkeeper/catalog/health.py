"""The catalog's part of health: due, parked, damaged and unvouched counts, read by indexes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from tierkeeper.catalog import unseen
from tierkeeper.catalog.conditions import DAMAGED, KEPT, REFUSED, SUSPECT, UNVOUCHED, due, unleased
from tierkeeper.values.refusals import LOCKED

#: more due items than this are not counted one by one: a backlog must not make its own measurement slow
MOST_COUNTED = 100_000
#: failures in a row after which the pauses between tries are at their longest: ten minutes after the first
STUBBORN = 8

_FIRST_DAMAGED = f"""
    SELECT blob_id
    FROM placements
    WHERE {DAMAGED}
    ORDER BY damaged_at, id LIMIT :most
"""
LOOK = sa.text(f"""
    SELECT statement_timestamp() AS now,
        (
            SELECT min(due_at)
            FROM schedule
            WHERE {due("statement_timestamp()")} AND {unleased("statement_timestamp()")}
        ) AS oldest,
        (
            SELECT count(*)
            FROM (
                SELECT FROM schedule
                WHERE {due("statement_timestamp()")}
                LIMIT :most
            ) AS d
        ) AS due,
        (SELECT count(*) FROM schedule WHERE parked_reason IS NOT NULL) AS parked,
        (
            SELECT count(*)
            FROM (SELECT FROM schedule WHERE failures > 0 AND parked_reason IS NULL LIMIT :most) AS f
        ) AS retrying,
        (
            SELECT count(*)
            FROM (
                SELECT FROM schedule
                WHERE failures > 0 AND failures >= {STUBBORN} AND parked_reason IS NULL
                LIMIT :most
            ) AS f
        ) AS stubborn,
        (
            SELECT count(*)
            FROM deliveries
            WHERE parked_reason IS NOT NULL AND skipped_by IS NULL AND kind = 'delivery'
        ) AS parked_deliveries,
        (
            SELECT count(*)
            FROM deliveries
            WHERE kind = 'malformed' AND raw IS NOT NULL AND skipped_by IS NULL
        ) AS dead_letters,
        (
            SELECT coalesce(sum(attempts), 0)
            FROM deliveries
            WHERE kind = 'malformed' AND raw IS NULL AND skipped_by IS NULL
        ) AS dead_letters_unkept,
        (SELECT count(*) FROM runs WHERE state = 'awaiting approval') AS awaiting,
        (
            SELECT at
            FROM events
            WHERE cluster = events_cluster() AND xid >= pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY xid, subject, revision LIMIT 1
        ) AS unsettled,
        (
            SELECT count(*)
            FROM (SELECT FROM placements WHERE {UNVOUCHED} LIMIT :most) AS u
        ) AS unvouched,
        (
            SELECT count(*)
            FROM (
                SELECT FROM placements
                WHERE {SUSPECT}
                LIMIT :most
            ) AS m
        ) AS missed,
        (
            SELECT count(*)
            FROM (
                SELECT FROM placements
                WHERE unseen_since <= statement_timestamp() - interval '1 day'
                    AND state = 'doomed'
                    AND unseen_since >= doomed_at
                    AND delete_after > statement_timestamp() - {unseen.LATELY}
                ORDER BY unseen_since LIMIT :most
            ) AS n
        ) AS unseen,
        (
            SELECT count(*)
            FROM (SELECT FROM placements WHERE {REFUSED} LIMIT :most) AS r
        ) + (
            SELECT count(*)
            FROM (SELECT FROM quarantine WHERE refused_since IS NOT NULL LIMIT :most) AS r
        ) AS refused,
        least(
            (SELECT min(refused_since) FROM placements WHERE {REFUSED} AND refusal_code <> '{LOCKED}'),
            (SELECT min(refused_since) FROM quarantine WHERE refused_since IS NOT NULL AND refusal_code <> '{LOCKED}')
        ) AS refused_since,
        (SELECT count(*) FROM ({_FIRST_DAMAGED}) AS d) AS damaged,
        -- what could not be asked, or is being written, may be right: content of which there is such a copy is not lost
        (
            SELECT count(DISTINCT d.blob_id)
            FROM ({_FIRST_DAMAGED}) AS d
            WHERE NOT EXISTS (
                    SELECT FROM placements o
                    WHERE o.blob_id = d.blob_id
                        AND (
                            o.state = 'copying'
                            OR ({KEPT} AND (o.damaged_at IS NULL OR NOT o.tier = ANY(:tiers)))
                        )
                )
                AND EXISTS (SELECT FROM artifacts a WHERE a.blob_id = d.blob_id AND a.state IN ('live', 'deleted'))
        ) AS lost
""")


@dataclass(frozen=True, slots=True)
class CatalogSigns:
    """The catalog's vital signs; ``oldest``: since when the oldest item is due that no worker has leased."""

    now: datetime
    oldest: datetime | None
    due: int  # at most MOST_COUNTED
    parked: int  # artifacts
    retrying: int  # artifacts whose last try failed; at most MOST_COUNTED
    stubborn: int  # those that failed so often in a row that it will not pass by itself; at most MOST_COUNTED
    parked_deliveries: int
    dead_letters: int  # messages that were refused and that no operator skipped
    dead_letters_unkept: int  # messages that were refused beyond the bound of those kept
    awaiting: int  # runs
    unsettled: datetime | None  # when the first event was written whose position is not final
    unvouched: int  # copies that do not count until they are read; at most MOST_COUNTED
    missed: int  # copies that were not found once, and do not count until they are; at most MOST_COUNTED
    unseen: int  # doomed copies that collect left for a day since what stays was not seen; at most MOST_COUNTED
    refused: int  # copies and orphans that a store refuses to delete; at most MOST_COUNTED of each
    refused_since: datetime | None  # the first of these refusals that is no lock's
    damaged: int  # copies that were found damaged; at most MOST_COUNTED
    lost: int  # contents of these that artifacts need, and of which no copy is readable or could not be asked


def signs(connection: sa.Connection, *, tiers: Iterable[str], lease: timedelta) -> CatalogSigns:
    """Return the vital signs; ``tiers``: the configured ones, as copies in others cannot be checked."""
    found = connection.execute(LOOK, {"most": MOST_COUNTED, "tiers": list(tiers), "lease": lease})
    return CatalogSigns(**found.one()._mapping)  # noqa: SLF001  SQLAlchemy's public name
