"""How far the modes of each tier's files were looked at: a switch a tier, whose value its store alone understands."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import switches
from tierkeeper.catalog.database import catalog_now


def reached(connection: sa.Connection, tier: str) -> Mapping[str, Any] | None:
    """Return where the last look at a tier ended, None before the first."""
    row = switches.read(connection, _name(tier))
    return None if row is None else row.value


def keep(connection: sa.Connection, tier: str, at: Mapping[str, Any]) -> None:
    """Record where a look at a tier ended."""
    now = catalog_now(connection)
    switches.write(connection, _name(tier), dict(at), by=TIERKEEPER.actor, reason="looked at up to here", now=now)


def _name(tier: str) -> str:
    return f"{switches.MODES}{tier}"
