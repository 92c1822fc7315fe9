"""The table of a database store: one row a record, one partition a day, exact bytes beside queryable ``jsonb``."""

import datetime as dt
from typing import Any

from psycopg import Connection, sql

from tierkeeper.stores.postgres import errors


def create(schema: str) -> sql.Composed:
    """Return the statements that make the table with its indexes where it is missing.

    The bytes lie uncompressed (EXTERNAL), so that a range is read without the rest; the check makes PostgreSQL itself
    vouch for their SHA-256. ``tier_mark`` has one row at most.
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
    """Until the transaction ends, be the only one who makes tables in ``schema``."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"tierkeeper tables of {schema}"])


def exists(connection: Connection[Any], schema: str) -> bool:
    """Whether the tables are there."""
    question = (
        "SELECT to_regclass(format('%%I.records', %(s)s::text)), to_regclass(format('%%I.tier_mark', %(s)s::text))"
    )
    found = connection.execute(question, {"s": schema}).fetchone()
    return found is not None and None not in found


def mark(connection: Connection[Any], table: sql.Identifier) -> tuple[object] | None:
    """Return the row of the mark, its JSON; None where there is no row, or no table for it. A null is a row."""
    try:
        return connection.execute(sql.SQL("SELECT mark FROM {}").format(table)).fetchone()
    except errors.NO_TABLE:
        return None


def make_partition(connection: Connection[Any], schema: str, day: dt.date) -> None:
    """Make the partition of ``day`` unless it is there; any number of processes may do so at once.

    It is made apart and then attached: that does not stop the others' inserts, as CREATE TABLE … PARTITION OF would.
    """
    name = f"records_{day.isoformat().replace('-', '')}"
    names = {"schema": sql.Identifier(schema), "partition": sql.Identifier(name)}
    with connection.transaction():
        lock(connection, schema)
        made = connection.execute(
            "SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, name]
        ).fetchone()
        if made is not None and made[0] is not None:
            return
        connection.execute(
            sql.SQL("CREATE TABLE {schema}.{partition} (LIKE {schema}.records INCLUDING ALL)").format(**names)
        )
        connection.execute(
            sql.SQL(
                "ALTER TABLE {schema}.records ATTACH PARTITION {schema}.{partition} FOR VALUES FROM ({a}) TO ({b})"
            ).format(**names, a=sql.Literal(day), b=sql.Literal(day + dt.timedelta(days=1)))
        )
