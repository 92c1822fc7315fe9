"""The migrations: idempotent, one at a time, equal to the models, and asked for before anything else."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support.callers import TESTER

from models.tables import METADATA
from tierkeeper.base.errors import CatalogNotReady, CatalogReadOnly, CatalogRefused, CatalogUnavailable
from tierkeeper.catalog import migrate, revisions, unreadable
from tierkeeper.catalog.database import Database, take_time
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.operations import months
from tierkeeper.settings.groups import CatalogSettings
from tierkeeper.settings.settings import load

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")


def connected(url: str) -> sa.Engine:
    """An engine on a database."""
    return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)


def test_an_upgrade_is_made_once(postgres_url: str) -> None:
    """The first upgrade makes the catalog and says so; the second finds nothing to do."""
    (made,) = migrate.upgrade(postgres_url)
    assert made == f"catalog created at revision {revisions.head()}"
    assert migrate.upgrade(postgres_url) == []


def test_upgrades_at_once_wait_for_each_other(postgres_url: str) -> None:
    """Of several at once, one makes the catalog and the others find it made."""
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(migrate.upgrade, [postgres_url] * 4))
    assert sorted(map(len, made)) == [0, 0, 0, 1]


def test_an_upgrade_that_loses_a_deadlock_is_tried_again(postgres_url: str) -> None:
    """Workers at work lock what an upgrade changes in their own order; it waits for them, whoever has to give way."""
    engine = connected(postgres_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0002")
    with ThreadPoolExecutor(1) as threads, engine.connect() as worker:
        with worker.begin():
            worker.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))  # the upgrade is who notices
            worker.execute(sa.text("LOCK TABLE artifacts IN ROW SHARE MODE"))
            upgrading = threads.submit(migrate.upgrade, postgres_url)
            while not worker.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                time.sleep(0.01)
            worker.execute(sa.text("SELECT count(*) FROM schedule"))
        assert upgrading.result() == [f"catalog upgraded from 0002 at revision {revisions.head()}"]


def limit(url: str, *, milliseconds: int) -> None:
    """Let a database have every limit on time, as a role may have them too."""
    with connected(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.scalar(sa.text("SELECT current_database()"))
        for each in LIMITS:
            connection.execute(sa.text(f"ALTER DATABASE {name} SET {each} = {milliseconds}"))


def slow_down(url: str, *commands: str) -> None:
    """Let these commands take longer than the limits."""
    tags = ", ".join(map("'{}'".format, commands))
    with connected(url).begin() as connection:
        connection.execute(
            sa.text(
                "CREATE FUNCTION take_longer() RETURNS event_trigger LANGUAGE plpgsql"
                " AS $$ BEGIN PERFORM pg_sleep(0.4); END $$"
            )
        )
        connection.execute(
            sa.text(
                f"CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ({tags}) EXECUTE FUNCTION take_longer()"
            )
        )


def test_limits_of_the_database_end_no_upgrade(postgres_url: str) -> None:
    """What a role or a database has of limits on time ends no upgrade and no downgrade, inside transactions and out."""
    with connected(postgres_url).begin() as connection:
        command.upgrade(migrate._config(connection), "0011")
    slow_down(postgres_url, "CREATE INDEX", "DROP INDEX")
    limit(postgres_url, milliseconds=300)
    assert migrate.upgrade(postgres_url) == [f"catalog upgraded from 0011 at revision {revisions.head()}"]
    assert migrate.downgrade(postgres_url, "0011") == revisions.head()


def test_limits_of_the_database_are_not_ours(database_url: str) -> None:
    """Transactions have the limits of the settings, none that the database has; long ones have hours."""
    limit(database_url, milliseconds=300)
    limits = {"statement_timeout": "7s", "lock_timeout": "3s", "idle_timeout": "8s"}
    catalog = Database(load(environ={}, catalog={"url": database_url, **limits}).catalog)

    def shown(connection: sa.Connection, *, long: bool = False) -> list[str]:
        if long:
            take_time(connection)
        time.sleep(0.4)
        return [str(connection.scalar(sa.text(f"SHOW {each}"))) for each in LIMITS]

    try:
        assert catalog.run(TESTER, shown) == ["7s", "3s", "8s", "0"]
        assert catalog.run(TESTER, shown, long=True) == ["6h", "3s", "6h", "0"]
        with catalog.reading() as connection:
            assert shown(connection) == ["7s", "3s", "8s", "0"]
    finally:
        catalog.close()


def test_a_catalog_that_takes_no_changes(postgres_url: str) -> None:
    """A role that may not write is told so, and not that the server does not answer."""
    through = f"{postgres_url}&options=-cdefault_transaction_read_only%3Don"
    with pytest.raises(CatalogReadOnly, match=r"read-only transaction.*default_transaction_read_only"):
        migrate.upgrade(through)


def test_a_catalog_that_does_not_let_us_in(postgres_server: Postgres) -> None:
    """No server, no socket, no such database or user: one error that says what, and what to do."""
    refused = "Correct user and password in catalog.url"
    other = sa.make_url(postgres_server.url("postgres")).set(username="nobody_here")
    for url, reason, fix in (
        ("postgresql://bad:bad@127.0.0.1:1/x", "Connection refused", "try again"),
        ("postgresql://postgres@/x?host=/nowhere/at/all", "No such file or directory", "try again"),
        (postgres_server.url("no_such_database"), 'database "no_such_database" does not exist', "Create it"),
        (other.render_as_string(hide_password=False), 'role "nobody_here" does not exist', refused),
        (postgres_server.url("postgres") + "&sslmode=bogus", 'invalid sslmode value: "bogus"', "Correct the options"),
    ):
        with pytest.raises(CatalogUnavailable, match=reason) as caught:
            migrate.upgrade(url)
        assert fix in str(caught.value)
        assert (caught.value.exit_code, isinstance(caught.value, CatalogRefused)) == (
            (6, False) if fix == "try again" else (4, True)
        )
        assert "\n" not in str(caught.value)
        assert "sqlalche.me" not in str(caught.value)


def test_a_user_who_may_not_make_tables(postgres_url: str) -> None:
    """Whoever may come in and make nothing is told so."""
    with connected(postgres_url).begin() as connection:
        connection.execute(sa.text("CREATE ROLE weak LOGIN"))
    try:
        with pytest.raises(
            CatalogRefused, match=r"permission denied for schema public.* GRANT CREATE, USAGE ON SCHEMA"
        ):
            migrate.upgrade(sa.make_url(postgres_url).set(username="weak").render_as_string(hide_password=False))
    finally:
        with connected(postgres_url).begin() as connection:
            connection.execute(sa.text("DROP ROLE weak"))


def test_a_schema_of_its_own(postgres_url: str) -> None:
    """A search_path in the URL is the catalog's own, for the upgrade as for all that follows."""
    through = f"{postgres_url}&options=-csearch_path%3Dapart"
    with pytest.raises(CatalogRefused, match="search_path names no schema that exists"):
        migrate.upgrade(through)
    with connected(postgres_url).begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA apart"))
    migrate.upgrade(through)
    catalog = Database(CatalogSettings(url=through))
    try:
        catalog.run(TESTER, revisions.check)
        assert catalog.run(TESTER, partitions_made)
    finally:
        catalog.close()
    with connected(postgres_url).connect() as connection, pytest.raises(CatalogNotReady, match="at revision none"):
        revisions.check(connection)


def partitions_made(connection: sa.Connection) -> bool:
    """Make the partitions of events, which call functions of the catalog's own."""
    return bool(months.make_partitions(connection))


def test_half_a_catalog_is_not_made(postgres_url: str) -> None:
    """An upgrade whose new tables would be made in another schema than the catalog's is refused."""
    with connected(postgres_url).begin() as connection:
        command.upgrade(migrate._config(connection), "0003")
        connection.execute(sa.text("CREATE SCHEMA postgres"))  # as the user is called: search_path begins with it
    with pytest.raises(CatalogNotReady, match="0003 in schema public, and new tables would be made in schema postgres"):
        migrate.upgrade(postgres_url)
    with connected(postgres_url).connect() as connection:
        assert revisions.current(connection) == "0003"


def test_a_user_who_may_not_read(database_url: str) -> None:
    """A privilege that a statement lacks is CatalogRefused with what to do, not the driver's error."""
    with connected(database_url).begin() as connection:
        connection.execute(sa.text("CREATE ROLE weak LOGIN"))
    weak = Database(
        CatalogSettings(url=sa.make_url(database_url).set(username="weak").render_as_string(hide_password=False))
    )
    try:
        with pytest.raises(CatalogRefused, match="permission denied for table"):
            weak.run(TESTER, revisions.check)
        with pytest.raises(CatalogRefused, match="permission denied"), weak.reading() as connection:
            revisions.check(connection)
    finally:
        weak.close()
        with connected(database_url).begin() as connection:
            connection.execute(sa.text("DROP ROLE weak"))


def test_models_and_migrations_agree(database_url: str) -> None:
    """What the migrations make is what the models say, but for the partitions of events."""
    with connected(database_url).connect() as connection:
        # SQLAlchemy reflects no table that has a constraint which is NOT VALID
        connection.execute(sa.text(f"ALTER TABLE artifacts VALIDATE CONSTRAINT {unreadable.CONSTRAINT}"))
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or not str(name).startswith("events_"),
            },
        )
        differences = compare_metadata(context, METADATA)
    assert differences == []


def test_the_checks_of_models_and_migrations_agree(database_url: str) -> None:
    """Each table has the conditions that its model says, and no other: what one lists, the other lists."""
    query = sa.text(
        "SELECT conname, pg_get_constraintdef(oid) AS condition FROM pg_constraint"
        " WHERE conrelid = CAST(:name AS regclass) AND contype = 'c'"
    )

    def conditions(connection: sa.Connection, name: str) -> dict[str, str]:
        rows = connection.execute(query, {"name": name})
        return {row.conname: row.condition.removesuffix(" NOT VALID") for row in rows}

    seen = 0
    with connected(database_url).connect() as connection:
        for table in METADATA.sorted_tables:
            made = conditions(connection, table.name)
            connection.execute(sa.text(f"CREATE TEMPORARY TABLE said (LIKE {table.name})"))
            for check in (each for each in table.constraints if isinstance(each, sa.CheckConstraint)):
                connection.execute(sa.text(f"ALTER TABLE said ADD CONSTRAINT {check.name} CHECK ({check.sqltext})"))
            assert conditions(connection, "said") == made, table.name
            connection.execute(sa.text("DROP TABLE said"))
            seen += len(made)
    assert seen > 20


def test_an_old_catalog_is_refused(postgres_url: str, database_url: str) -> None:
    """A catalog at another revision, or none at all, is refused with what to do."""
    with connected(postgres_url).connect() as connection, pytest.raises(CatalogNotReady, match="tierkeeper init"):
        revisions.check(connection)
    with connected(database_url).begin() as connection:
        revisions.check(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
        with pytest.raises(CatalogNotReady, match=r"0001, this version needs .* Run `tierkeeper init`"):
            revisions.check(connection)


@pytest.mark.parametrize("written", [("9999",), ("9998", "9999"), (revisions.head(), "9999")], ids=", ".join)
def test_a_newer_catalog_is_refused_and_stays(database_url: str, written: tuple[str, ...]) -> None:
    """A catalog whose revision is unknown here is of a newer version: nothing upgrades it, the error says so."""
    with connected(database_url).begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
        for revision in written:
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    told = f"at revision {', '.join(written)}, which a newer version wrote, .* Upgrade tierkeeper"
    with connected(database_url).connect() as connection, pytest.raises(CatalogNotReady, match=told):
        revisions.check(connection)
    with pytest.raises(CatalogNotReady, match=told):
        migrate.upgrade(database_url)
    with connected(database_url).connect() as connection:
        assert set(connection.scalars(sa.text("SELECT version_num FROM alembic_version"))) == set(written)


#: as the release before wrote them: by state, the store's checksum of the whole or none, and a version
BEFORE = (
    ("present", "sha256:00", None),
    ("present", "sha256:00", "v1"),
    ("present", None, "v2"),
    ("doomed", "sha256:00", None),
    ("doomed", None, None),
    ("copying", None, None),
)
#: how its workers, which are still at work, commit a copy
COMMIT_BEFORE = (
    "UPDATE placements SET state = 'present', lease_until = NULL, store_version = 'v3', stored_size = 1,"
    " checksum = 'sha256:00', verified_at = now() WHERE state = 'copying'"
)


def test_what_no_checksum_vouched_for_is_in_doubt_after_the_upgrade(postgres_url: str) -> None:
    """Copies keep the word that they had; what had none counts for nothing, as does what old workers still commit."""
    engine = connected(postgres_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0003")
        for number, (state, checksum, version) in enumerate(BEFORE):
            connection.execute(
                sa.text(
                    "WITH blob AS (INSERT INTO blobs (id, scope, sha256, size) VALUES (gen_random_uuid(), 'acme',"
                    " sha256(CAST(:location AS bytea)), 1) RETURNING id) INSERT INTO placements (id, blob_id, tier,"
                    " location, state, checksum, store_version, stored_size, token, lease_until, delete_after,"
                    " verified_at) SELECT gen_random_uuid(), id, 'warm', :location, :state, :checksum, :version, 1,"
                    " id, now(), now(), now() FROM blob"
                ),
                {"location": str(number), "state": state, "checksum": checksum, "version": version},
            )
    assert migrate.upgrade(postgres_url) == [f"catalog upgraded from 0003 at revision {revisions.head()}"]
    told = sa.text("SELECT vouched, pin, verified_at IS NOT NULL AS verified FROM placements ORDER BY location")
    with engine.begin() as connection:
        assert [tuple(row) for row in connection.execute(told)] == [
            ("written", None, True),
            ("written", "v1", True),
            (None, None, False),
            ("written", None, True),
            (None, None, False),
            (None, None, False),
        ]
        assert connection.execute(sa.text(COMMIT_BEFORE)).rowcount == 1
        assert [row.vouched for row in connection.execute(told)][-1] is None
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0003")
        (missing,) = connection.execute(sa.text("SELECT count(*) FROM placements WHERE verified_at IS NULL")).one()
    assert missing == 0


@pytest.mark.parametrize(
    ("column", "before", "after"), [("missed_at", "0004", "0005"), ("unseen_since", "0005", "0006")]
)
def test_a_column_comes_and_goes(postgres_url: str, column: str, before: str, after: str) -> None:
    """A time that copies have since a revision is there with it, and goes again."""
    engine = connected(postgres_url)
    told = sa.text("SELECT count(*) FROM information_schema.columns WHERE column_name = :column")
    for revision, columns in ((before, 0), (after, 1)):
        with engine.begin() as connection:
            command.upgrade(migrate._config(connection), revision)
            assert connection.execute(told, {"column": column}).scalar_one() == columns
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), before)
        assert connection.execute(told, {"column": column}).scalar_one() == 0
