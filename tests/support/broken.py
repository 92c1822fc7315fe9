"""Rows as no entrance writes them, and as PostgreSQL took them before there was a constraint."""

# ruff: noqa: S608  the statements are made of constants

from tierkeeper.keeper import Keeper


def write(keeper: Keeper, name: str, change: str) -> None:
    """Change the row of an artifact, with the walls down for this one transaction."""
    with keeper.engine.catalog.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        (gate,) = connection.exec_driver_sql(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_artifacts_readable'"
        ).scalars()
        connection.exec_driver_sql("ALTER TABLE artifacts DROP CONSTRAINT ck_artifacts_readable")
        connection.exec_driver_sql(
            f"UPDATE artifacts SET {change} FROM names n WHERE n.id = name_id AND n.name = '{name}'"
        )
        gate = gate.removesuffix(" NOT VALID")
        connection.exec_driver_sql(f"ALTER TABLE artifacts ADD CONSTRAINT ck_artifacts_readable {gate} NOT VALID")
