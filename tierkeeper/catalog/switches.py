"""The switches: catalog-wide values by name, and the one of them that is checked at every delete.

Every statement about the table is here; what a value means is known where it is used: ``epochs`` (epoch and trust),
``identity``, ``probes``, ``refusals``, ``command_ends``, ``mode_looks``, ``unreadable``, and here (deletes).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import DeletesSwitch, DeletesSwitched
from tierkeeper.catalog import events
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.statements import typed
from tierkeeper.values.deletes import DeletesView

#: the switches with a name of their own; stored names never change
DELETES_ENABLED: Final = "deletes_enabled"
EPOCH: Final = "epoch"
TRUST: Final = "trust"
IDENTITY: Final = "identity"
COMMANDS_ENDED: Final = "commands_ended"
UNREADABLE: Final = "unreadable_artifact"
#: what the name of a tier's switch begins with
PROBE: Final = "probe:"
#: what the names of switches begin with that say what a tier's store refuses to a sweep
REFUSED: Final = "refused:"
#: what the name of a tier's switch begins with that says which of its files' modes were looked at
MODES: Final = "modes:"

#: the subject of events about the switch of deletes
DELETES = UUID(int=1)

_READ = sa.text("""
    SELECT name, value, by, reason, at, clock_timestamp() - at AS age
    FROM switches
    WHERE name = ANY(:names)
    ORDER BY name
""")
_LOCK = sa.text(f"{_READ.text} FOR UPDATE")
_READ_BEGINNING = sa.text("""
    SELECT name, value, by, reason, at, clock_timestamp() - at AS age
    FROM switches
    WHERE starts_with(name, :beginning)
    ORDER BY name
""")
_REMOVE = sa.text("DELETE FROM switches WHERE name = :name")
_INSERT = """
    INSERT INTO switches (name, value, by, reason, at)
    VALUES (:name, :value, :by, :reason, :at)
    ON CONFLICT (name)
"""
_SET = sa.text(f"""
    {_INSERT}
    DO UPDATE SET value = excluded.value, by = excluded.by, reason = excluded.reason, at = excluded.at
""").bindparams(*typed(value="jsonb"))
_SET_IF_MISSING = sa.text(f"{_INSERT} DO NOTHING").bindparams(*typed(value="jsonb"))


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """One switch: its value as parsed JSON, the actor who set it, why and when."""

    value: Any
    by: str
    reason: str
    at: datetime
    age: timedelta  # by the catalog's clock; negative where that clock was set back


def read(connection: sa.Connection, name: str, *, lock: bool = False) -> SwitchRow | None:
    """Return a switch, None where it is missing; ``lock``: until the transaction ends."""
    return read_together(connection, name, lock=lock).get(name)


def read_together(connection: sa.Connection, *names: str, lock: bool = False) -> dict[str, SwitchRow]:
    """Return those of these switches that are there, by name, as of one moment: they may be written together."""
    rows = connection.execute(_LOCK if lock else _READ, {"names": list(names)})
    return {row.name: SwitchRow(*row[1:]) for row in rows}


def read_beginning(connection: sa.Connection, beginning: str) -> dict[str, SwitchRow]:
    """Return the switches whose names begin so, by name."""
    rows = connection.execute(_READ_BEGINNING, {"beginning": beginning})
    return {row.name: SwitchRow(*row[1:]) for row in rows}


def remove(connection: sa.Connection, name: str) -> None:
    """Remove a switch, if it is there."""
    connection.execute(_REMOVE, {"name": name})


def write(connection: sa.Connection, name: str, value: object, *, by: str, reason: str, now: datetime) -> None:
    """Set a switch to a value that JSON can hold."""
    connection.execute(_SET, {"name": name, "value": value, "by": by, "reason": reason, "at": now})


def write_if_missing(
    connection: sa.Connection, name: str, value: object, *, by: str, reason: str, now: datetime
) -> None:
    """Set a switch that has no value yet; another one stays as it is."""
    connection.execute(_SET_IF_MISSING, {"name": name, "value": value, "by": by, "reason": reason, "at": now})


def deletes_refused(connection: sa.Connection) -> str | None:
    """Return why nothing may be deleted now, None if it may. A missing switch refuses too."""
    view = deletes(connection)
    return None if view.enabled else view.reason


def deletes(connection: sa.Connection, *, lock: bool = False) -> DeletesView:
    """Return the switch, with who set it, when and why; ``lock``: until the transaction ends."""
    row = read(connection, DELETES_ENABLED, lock=lock)
    if row is None:
        return DeletesView(enabled=False, by="", reason=f"the switch {DELETES_ENABLED} is missing", at=None)
    return DeletesView(enabled=row.value is True, by=row.by, reason=row.reason, at=row.at)


def set_deletes(connection: sa.Connection, *, enabled: bool, by: str, reason: str) -> bool:
    """Set the switch, with its event; False if it had this value already."""
    before = deletes(connection, lock=True)
    if before.enabled is enabled and before.at is not None:
        return False
    now = catalog_now(connection)
    write(connection, DELETES_ENABLED, enabled, by=by, reason=reason, now=now)
    payload = DeletesSwitched(
        before=DeletesSwitch(enabled=before.enabled, reason=before.reason),
        after=DeletesSwitch(enabled=enabled, reason=reason),
    )
    events.append_next(connection, DELETES, payload, by=by, at=now)
    return True
