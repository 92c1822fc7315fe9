"""Every SQL statement of the catalog, a module per subject; the tables are in ``models``.

Most functions take the connection of a transaction that :class:`~tierkeeper.catalog.database.Database` began. What to
write is decided in ``tierkeeper.policy`` and ``tierkeeper.engine``.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
