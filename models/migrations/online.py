"""Statements of migrations under which no other statement waits for long, on a catalog that is in use.

A catalog that is new is made in one transaction, with the plain form of each. On one in use, an index is made
CONCURRENTLY, which ends the transaction of the migration and begins another after it: whatever stands before it must be
repeatable (``IF NOT EXISTS``), because the migration runs again from its beginning if it fails later.
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

_BATCH = 5000  # rows a transaction
_PASSES = 2  # the second for what others changed behind the first
_FIRST = UUID(int=0)
_VALID = sa.text("SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND indisvalid)")
_PARTITIONS = sa.text("""
    SELECT c.relname
    FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = CAST(:table AS regclass)
    ORDER BY c.relname
""")
_ATTACHED = sa.text("""
    SELECT EXISTS (
        SELECT
        FROM pg_inherits i
            JOIN pg_index x ON x.indexrelid = i.inhrelid
        WHERE i.inhparent = CAST(:index AS regclass) AND x.indrelid = CAST(:partition AS regclass)
    )
""")


def in_use() -> bool:
    """Return True for a catalog that had a revision before: processes may be at work on it."""
    return bool(op.get_context().opts.get("in_use"))


def apart(*statements: str) -> None:
    """Execute each statement in a transaction of its own: no table's lock is held while another table's is waited for.

    Each must be repeatable.
    """
    for statement in statements:
        op.execute(statement)
        if in_use():
            with op.get_context().autocommit_block():
                pass  # it ends the transaction, and begins another after it


def create_index(name: str, on: str, *, unique: bool = False) -> None:
    """Create the index ``name``; ``on``: table, columns and condition. A broken one from before is replaced."""
    kind = "UNIQUE INDEX" if unique else "INDEX"
    if not in_use():
        op.execute(f"CREATE {kind} {name} ON {on}")
        return
    if op.get_bind().execute(_VALID, {"name": name}).scalar_one():
        return
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # an attempt that failed leaves an invalid one
        op.execute(f"CREATE {kind} CONCURRENTLY {name} ON {on}")


def replace_index(name: str, on: str) -> None:
    """Put another index in the place of ``name``, which serves until the new one is whole."""
    create_index(f"{name}_new", on)
    op.execute(f"DROP INDEX IF EXISTS {name}")
    op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")


def create_partitioned_index(name: str, *, table: str, columns: str) -> None:
    """Create the index ``name`` of a partitioned table: one partition after another, then the whole is valid."""
    if not in_use():
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")
        return
    op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} ({columns})")
    connection = op.get_bind()
    for partition in connection.execute(_PARTITIONS, {"table": table}).scalars().all():
        if op.get_bind().execute(_ATTACHED, {"index": name, "partition": partition}).scalar_one():
            continue
        create_index(f"{name}_{partition}", f"{partition} ({columns})")
        op.execute(f"ALTER INDEX {name} ATTACH PARTITION {name}_{partition}")


def update_all(table: str, change: str, *, where: str) -> None:
    """Update the rows of ``table`` that match, a batch a transaction, by ``id``; a changed row must not match.

    There are two passes, each over the rows that are there when it begins. What others make match after that stays.
    """
    if not in_use():
        op.execute(f"UPDATE {table} SET {change} WHERE {where}")  # noqa: S608  texts of migrations
        return
    newest = sa.text(f"SELECT id FROM {table} ORDER BY id DESC LIMIT 1")  # noqa: S608  texts of migrations
    batch = sa.text(f"""
        WITH chosen AS (
            SELECT id FROM {table} WHERE ({where}) AND id > :after AND id <= :newest
            ORDER BY id LIMIT {_BATCH} FOR UPDATE
        ), changed AS (
            UPDATE {table} t SET {change} FROM chosen WHERE t.id = chosen.id RETURNING t.id
        )
        SELECT id FROM changed ORDER BY id DESC LIMIT 1
    """)  # noqa: S608  texts of migrations
    with op.get_context().autocommit_block():
        for _ in range(_PASSES):
            last = _FIRST
            end = op.get_bind().execute(newest).scalar_one_or_none() or _FIRST
            while reached := op.get_bind().execute(batch, {"after": last, "newest": end}).scalar_one_or_none():
                last = reached


def validate(table: str, *constraints: str) -> None:
    """Validate constraints that were added NOT VALID, in a transaction that lets others read and write."""
    if not in_use():
        for name in constraints:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        return
    with op.get_context().autocommit_block():
        for name in constraints:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
