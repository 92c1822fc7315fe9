"""Results of probing the tiers' servers: the last result of each tier, its server and its time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import switches
from tierkeeper.catalog.database import catalog_now

_KEPT: Final = timedelta(days=1)  # a server can be replaced behind its name; then it is asked again


def recorded(connection: sa.Connection, tier: str, *, server: str) -> Mapping[str, bool]:
    """Return the results of probing this server of the tier; empty where there are none, or only old ones."""
    row = switches.read(connection, _name(tier))
    if row is None or row.value.get("server") != server or not timedelta(0) <= row.age < _KEPT:
        return {}
    return {ability: value is True for ability, value in row.value["seen"].items()}


def keep(connection: sa.Connection, tier: str, *, server: str, seen: Mapping[str, bool]) -> None:
    """Record results of probing this server of the tier, beside those of it that are not too old."""
    value = {"server": server, "seen": {**recorded(connection, tier, server=server), **seen}}
    now = catalog_now(connection)
    switches.write(connection, _name(tier), value, by=TIERKEEPER.actor, reason="seen by a probe", now=now)


def _name(tier: str) -> str:
    return f"{switches.PROBE}{tier}"
