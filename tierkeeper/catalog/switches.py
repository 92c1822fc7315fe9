"""The switch ``deletes_enabled``, which is checked at every delete."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import DeletesSwitch, DeletesSwitched
from tierkeeper.catalog import events
from tierkeeper.catalog.statements import typed
from tierkeeper.values.deletes import DeletesView

#: the subject of events about the switch
DELETES = UUID(int=1)

_DELETES = sa.text("SELECT value = 'true'::jsonb AS enabled, reason FROM switches WHERE name = 'deletes_enabled'")
_VIEW = "SELECT value = 'true'::jsonb AS enabled, by, reason, at FROM switches WHERE name = 'deletes_enabled'"
_SET = sa.text("""
    INSERT INTO switches (name, value, by, reason, at)
    VALUES ('deletes_enabled', :value, :by, :reason, :at)
    ON CONFLICT (name)
    DO UPDATE SET value = excluded.value, by = excluded.by, reason = excluded.reason, at = excluded.at
""").bindparams(*typed(value="jsonb"))


def deletes_refused(connection: sa.Connection) -> str | None:
    """Return why nothing may be deleted now, None if it may. A missing switch refuses too."""
    row = connection.execute(_DELETES).first()
    if row is None:
        return "the switch deletes_enabled is missing"
    return None if row.enabled else str(row.reason)


def deletes(connection: sa.Connection, *, lock: bool = False) -> DeletesView:
    """Return the switch, with who set it, when and why; ``lock``: until the transaction ends."""
    row = connection.execute(sa.text(f"{_VIEW} FOR UPDATE" if lock else _VIEW)).first()
    if row is None:
        return DeletesView(enabled=False, by="", reason="the switch deletes_enabled is missing", at=None)
    return DeletesView(enabled=bool(row.enabled), by=row.by, reason=row.reason, at=row.at)


def set_deletes(connection: sa.Connection, *, enabled: bool, by: str, reason: str, now: datetime) -> bool:
    """Set the switch, with its event; False if it had this value already."""
    before = deletes(connection, lock=True)
    if before.enabled is enabled and before.at is not None:
        return False
    connection.execute(_SET, {"value": enabled, "by": by, "reason": reason, "at": now})
    line = events.Line(
        subject=DELETES,
        revision=events.next_revision(connection, DELETES),
        payload=DeletesSwitched(
            before=DeletesSwitch(enabled=before.enabled, reason=before.reason),
            after=DeletesSwitch(enabled=enabled, reason=reason),
        ),
        actor=by,
    )
    events.append(connection, [line], at=now)
    return True
