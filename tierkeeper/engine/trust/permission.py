"""The permission to delete: deletes are switched on, and the catalog is trusted. Every decision to delete asks."""

import sqlalchemy as sa

from tierkeeper.base.errors import CatalogRestored, DeletesDisabled
from tierkeeper.catalog import epochs, switches


def refused(connection: sa.Connection) -> DeletesDisabled | CatalogRestored | None:
    """Return why nothing may be deleted now, None if it may; CatalogRestored: the catalog may be an older copy."""
    off = switches.deletes_refused(connection)
    if off is not None:
        return DeletesDisabled(reason=off)
    distrusted = epochs.distrusted(connection)
    return None if distrusted is None else CatalogRestored(reason=distrusted)


def require(connection: sa.Connection) -> None:
    """Raise what :func:`refused` returns; called within the transaction of the decision, under its locks."""
    error = refused(connection)
    if error is not None:
        raise error
