"""What is asked at every delete."""

import sqlalchemy as sa

_DELETES = sa.text("SELECT value = 'true'::jsonb AS enabled, reason FROM switches WHERE name = 'deletes_enabled'")


def deletes_refused(connection: sa.Connection) -> str | None:
    """Return why nothing may be deleted now, None if it may. A missing switch refuses too."""
    row = connection.execute(_DELETES).first()
    if row is None:
        return "the switch deletes_enabled is missing"
    return None if row.enabled else str(row.reason)
