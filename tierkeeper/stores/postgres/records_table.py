"""The table of a database store: a row per record, a partition per day, exact bytes beside queryable ``jsonb``."""

import datetime as dt
from typing import Any

from psycopg import Connection, sql

from tierkeeper.stores.postgres import errors


def create(schema: str) -> sql.Composed:
    """Return the statements that create the missing tables and indexes.

    The bytes are stored uncompressed (EXTERNAL), so that a range is read without the rest; by the check PostgreSQL
    itself vouches for their SHA-256. ``tier_mark`` has one row at most.
    """
    return sql.SQL("""
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE IF NOT EXISTS {schema}.records (
            placement uuid NOT NULL,
            day date NOT NULL,
            tenant text NOT NULL,
            workflow text NOT NULL,
            name text NOT NULL,
            version integer NOT NULL,
            content bytea NOT NULL,
            document jsonb,
            content_type text NOT NULL,
            sha256 bytea NOT NULL,
            size bigint NOT NULL,
            created timestamptz NOT NULL,
            stored timestamptz NOT NULL DEFAULT now(),
            metadata jsonb NOT NULL,
            PRIMARY KEY (day, placement),
            CONSTRAINT records_content_is_right CHECK (sha256(content) = sha256 AND octet_length(content) = size)
        ) PARTITION BY RANGE (day);
        ALTER TABLE {schema}.records ALTER COLUMN content SET STORAGE EXTERNAL;
        CREATE INDEX IF NOT EXISTS records_document ON {schema}.records USING gin (document jsonb_path_ops);
        CREATE INDEX IF NOT EXISTS records_name ON {schema}.records (tenant, workflow, name, version);
        CREATE TABLE IF NOT EXISTS {schema}.tier_mark (
            single boolean PRIMARY KEY DEFAULT true CHECK (single),
            mark jsonb NOT NULL
        );
    """).format(schema=sql.Identifier(schema))


def lock(connection: Connection[Any], schema: str) -> None:
    """Take the advisory lock for creating tables in ``schema``; the end of the transaction releases it."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"tierkeeper tables of {schema}"])


def exists(connection: Connection[Any], schema: str) -> bool:
    """Return True if both tables, records and tier_mark, exist."""
    question = (
        "SELECT to_regclass(format('%%I.records', %(s)s::text)), to_regclass(format('%%I.tier_mark', %(s)s::text))"
    )
    found = connection.execute(question, {"s": schema}).fetchone()
    return found is not None and None not in found


def mark(connection: Connection[Any], table: sql.Identifier) -> tuple[object] | None:
    """Return the row of the mark, (JSON,); None where there is no row or no table. A JSON null is a row."""
    try:
        return connection.execute(sql.SQL("SELECT mark FROM {}").format(table)).fetchone()
    except errors.NO_TABLE:
        return None


def make_partition(connection: Connection[Any], schema: str, day: dt.date) -> None:
    """Create the partition of ``day`` unless it exists; any number of processes may do so at once.

    It is created as a table and then attached, which does not block inserts as CREATE TABLE … PARTITION OF would.
    """
    name = f"records_{day.isoformat().replace('-', '')}"
    names = {"schema": sql.Identifier(schema), "partition": sql.Identifier(name)}
    with connection.transaction():
        lock(connection, schema)
        existing = connection.execute(
            "SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, name]
        ).fetchone()
        if existing is not None and existing[0] is not None:
            return
        connection.execute(
            sql.SQL("CREATE TABLE {schema}.{partition} (LIKE {schema}.records INCLUDING ALL)").format(**names)
        )
        connection.execute(
            sql.SQL(
                "ALTER TABLE {schema}.records ATTACH PARTITION {schema}.{partition} FOR VALUES FROM ({a}) TO ({b})"
            ).format(**names, a=sql.Literal(day), b=sql.Literal(day + dt.timedelta(days=1)))
        )
