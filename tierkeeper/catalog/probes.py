"""Results of probing the tiers' servers: the last result of each tier, its server and its time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from tierkeeper.catalog.statements import typed

_KEPT: Final = timedelta(days=1)  # a server can be replaced behind its name; then it is asked again
_READ = sa.text("""
    SELECT value
    FROM switches
    WHERE name = :name
        AND value ->> 'server' = :server
        AND at > clock_timestamp() - :kept
        AND at <= clock_timestamp()
""")
_KEEP = sa.text("""
    INSERT INTO switches (name, value, by, reason, at)
    VALUES (:name, :value, 'tierkeeper', 'seen by a probe', clock_timestamp())
    ON CONFLICT (name)
    DO UPDATE SET value = excluded.value, by = excluded.by, reason = excluded.reason, at = excluded.at
""").bindparams(*typed(value="jsonb"))


def recorded(connection: sa.Connection, tier: str, *, server: str) -> Mapping[str, bool]:
    """Return the results of probing this server of the tier; empty where there are none, or only old ones."""
    found: dict[str, Any] | None = connection.execute(
        _READ, {"name": _name(tier), "server": server, "kept": _KEPT}
    ).scalar()
    return {} if found is None else {name: value is True for name, value in found["seen"].items()}


def keep(connection: sa.Connection, tier: str, *, server: str, seen: Mapping[str, bool]) -> None:
    """Record the results of probing this server of the tier."""
    value = {"server": server, "seen": dict(seen)}
    connection.execute(_KEEP, {"name": _name(tier), "value": value})


def _name(tier: str) -> str:
    return f"probe:{tier}"
