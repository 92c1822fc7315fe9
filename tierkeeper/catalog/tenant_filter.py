"""The condition by tenant of lists, counts, claims and events that are filtered by one tenant, or by none.

``tenant`` is the tenant that was asked for, None for all of them. What a caller is *allowed* to see is decided nowhere
yet, as a caller carries no tenants (ADR 19); row-level security will be set where
:class:`~tierkeeper.catalog.database.Database` begins a transaction of a caller (``run``) and a read (``reading``, which
takes no caller yet).
"""

from typing import Any, Final

import sqlalchemy as sa

from tierkeeper.catalog.statements import where_given

#: in a statement of a table with a column ``tenant``; the parameter's type is ``text``
OF_TENANT: Final = "(:tenant IS NULL OR tenant = :tenant)"
#: in a statement of ``blobs b``, which belong to the scope in which tenants share equal content
OF_TENANTS_SCOPE: Final = "(:tenant IS NULL OR b.scope = (SELECT scope FROM tenants WHERE id = :tenant))"


def of_tenant(column: sa.ColumnElement[Any], tenant: str | None) -> list[sa.ColumnElement[bool]]:
    """Return the condition that ``column`` is this tenant, none for all tenants."""
    return where_given(tenant, lambda wanted: column == wanted)
