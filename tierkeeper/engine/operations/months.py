"""The months of the audit log to come."""

import sqlalchemy as sa

from tierkeeper.catalog import partitions
from tierkeeper.catalog.database import catalog_now


def make_partitions(connection: sa.Connection) -> list[str]:
    """Make the partitions that are needed from now on; return those made."""
    return partitions.make_ahead(connection, now=catalog_now(connection))
