"""The end of commands: rows of ``commands`` that no message can ask for any more.

They are walked once, oldest first, from where the last walk ended (a switch). A command that is old enough ends the
earlier ones of the same artifacts, so the last of each artifact stays. A command of many artifacts (all versions of a
name) ends with one that has all of them.
"""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import switches
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.statements import typed

_LIMIT: Final = 1000
_ARTIFACTS = """
    jsonb_path_query_array({0}.result, '$.artifact') || jsonb_path_query_array({0}.result, '$.results[*].artifact')
"""
_END = sa.text(f"""
    WITH walked AS MATERIALIZED (
        SELECT c.tenant, c.key, c.item, c.at, {_ARTIFACTS.format("c")} AS artifacts
        FROM commands c
        WHERE c.at < :before
            AND c.at >= :at
            AND (c.at, c.tenant, c.key, c.item) > (:at, :tenant, :key, :item)
        ORDER BY c.at, c.tenant, c.key, c.item LIMIT :limit
    ),
    ended AS (
        DELETE FROM commands c
        USING walked w
            CROSS JOIN LATERAL jsonb_array_elements_text(w.artifacts) AS a(id)
        WHERE coalesce(c.result ->> 'artifact', c.result #>> '{{results,-1,artifact}}') = a.id
            AND c.at < w.at
            AND c.tenant = w.tenant
            AND {_ARTIFACTS.format("c")} <@ w.artifacts
            -- its message is kept, and may be sent again
            AND NOT EXISTS (SELECT FROM deliveries d WHERE d.key = c.key)
        RETURNING 1
    )
    SELECT w.at, w.tenant, w.key, w.item, (SELECT count(*) FROM ended) AS ended
    FROM walked w
    ORDER BY w.at DESC, w.tenant DESC, w.key DESC, w.item DESC LIMIT 1
""").bindparams(*typed(at="timestamptz", before="timestamptz", tenant="text", key="text", item="bigint"))
_FIRST: Final = {"at": "1900-01-01T00:00:00+00:00", "tenant": "", "key": "", "item": 0}


def end(connection: sa.Connection, *, before: datetime, limit: int = _LIMIT) -> int | None:
    """Walk the next commands written ``before``, end those that they replace, and return how many; None: none is left.

    The caller answers for ``before``: no message comes again whose command was written earlier.
    """
    switch = switches.read(connection, switches.COMMANDS_ENDED, lock=True)
    reached: dict[str, Any] = {**_FIRST, **(switch.value if switch is not None else {})}
    given = {**reached, "at": datetime.fromisoformat(reached["at"]), "before": before, "limit": limit}
    row = connection.execute(_END, given).one_or_none()
    if row is None:
        return None
    value = {"at": row.at.isoformat(), "tenant": row.tenant, "key": row.key, "item": row.item}
    now = catalog_now(connection)
    switches.write(connection, switches.COMMANDS_ENDED, value, by=TIERKEEPER.actor, reason="walked up to here", now=now)
    return int(row.ended)
