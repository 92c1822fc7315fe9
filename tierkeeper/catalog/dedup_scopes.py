"""The dedup scope of each tenant, given at the tenant's first store and never changed (table ``tenants``)."""

from collections.abc import Collection

import sqlalchemy as sa

from tierkeeper.catalog.statements import typed

_TAKE = sa.text("""
    INSERT INTO tenants (id, scope)
    SELECT id, id
    FROM unnest(:ids) AS w(id)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
""").bindparams(*typed(ids="text[]"))
_SCOPES = sa.text("SELECT id, scope FROM tenants WHERE id = ANY(:ids)")


def scopes(connection: sa.Connection, tenants: Collection[str]) -> dict[str, str]:
    """Return the dedup scope of each tenant, making the tenants that are new."""
    ids = sorted(set(tenants))
    found = {row.id: row.scope for row in connection.execute(_SCOPES, {"ids": ids})}
    if len(found) < len(ids):
        connection.execute(_TAKE, {"ids": ids})
        found = {row.id: row.scope for row in connection.execute(_SCOPES, {"ids": ids})}
    return found
