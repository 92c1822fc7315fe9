"""Doomed copies that collect left because those that stay were not seen (R21).

They go to the end of its queue, by their ``delete_after``, so that they do not keep it from other copies. One that was
left in the last minutes is at the end already, and is not written again.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.statements import typed

#: a copy that was not left for so long was kept for another reason meanwhile: it is left for the first time
LATELY: Final = "interval '2 days'"
_LEFT = sa.text(f"""
    UPDATE placements
    SET delete_after = w.now,
        unseen_since = CASE
            WHEN unseen_since BETWEEN doomed_at AND w.now AND delete_after > w.now - {LATELY} THEN unseen_since
            ELSE w.now
        END
    FROM (SELECT :now AS now) AS w
    WHERE id = ANY(:ids)
        AND state = 'doomed'
        AND (
            unseen_since IS NULL
            OR unseen_since NOT BETWEEN doomed_at AND w.now
            OR delete_after < w.now - interval '10 minutes'
        )
""").bindparams(*typed(now="timestamptz"))


def mark_left(connection: sa.Connection, ids: Collection[UUID], *, now: datetime) -> None:
    """Note that these copies were left now; their blobs are locked."""
    if ids:
        connection.execute(_LEFT, {"ids": list(ids), "now": now})
