"""Alembic calls this; the connection comes from ``tierkeeper.catalog.migrate``."""

from alembic import context

from models.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    transaction_per_migration=True,
    in_use=context.config.attributes["in_use"],  # see models/migrations/online.py
)
with context.begin_transaction():
    context.run_migrations()
