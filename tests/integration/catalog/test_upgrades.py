"""Upgrades of a catalog in use: nobody waits for long, nothing is left half made, and the first catalogs come along."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from support import invariants, scale
from support.catalogs import FOLDERS
from support.house import AT_ONCE, House
from support.long_locks import Statement, long_locks

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogUnavailable, InvalidInput
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import migrate, revisions
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings

FIRST = Path(__file__).parent / "first_catalog.sql"
TABLES = "artifacts", "schedule", "blobs", "placements", "events", "commands", "plan_items", "quarantine", "switches"
#: the copies in its hot tier, and what lay beside each there
SIDECARS = sa.text("""
    SELECT p.location, jsonb_build_object(
            'tenant', a.tenant, 'workflow', n.workflow, 'name', n.name, 'version', a.version, 'placement', p.id,
            'sha256', encode(a.sha256, 'hex'), 'size', a.size, 'created', a.created_at,
            'content_type', a.content_type, 'metadata', a.metadata
        )
    FROM placements p
        JOIN artifacts a ON a.id = p.artifact_id
        JOIN names n ON n.id = a.name_id
    WHERE p.tier = 'hot'
""")
KEPT = """
    INSERT INTO history (subject, revision, at, type, actor, after)
    VALUES ('00000000-0000-0000-0000-000000000001', 7, '2026-02-03Z', 'deletes switched', 'tester', '{"enabled": true}')
"""
PATIENT = 2.5  # seconds: one statement's wait for its lock, on a busy machine


def engine_of(url: str) -> sa.Engine:
    """An engine on a database."""
    return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)


def reads(table: str) -> sa.Select[int]:
    """A statement that reads a whole table."""
    return sa.select(sa.func.count()).select_from(sa.table(table))


def at_revision(url: str, revision: str) -> sa.Engine:
    """Make a catalog of an earlier release."""
    engine = engine_of(url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), revision)
    return engine


@contextmanager
def told() -> Iterator[dict[str, list[Statement]]]:
    """Gather the statements of an upgrade, by the revision that they lead to."""
    found: dict[str, list[Statement]] = defaultdict(list)
    some: list[Statement] = []

    def note(connection: sa.Connection, _cursor: Any, text: str, arguments: Any, *_more: Any) -> None:  # noqa: ANN401
        if text.startswith("UPDATE alembic_version"):
            revision = text.split("'")[1]
            found[revision] += some
            some.clear()
        elif text.split(maxsplit=1)[0] not in {"SELECT", "SET"}:
            some.append(Statement(text, connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_no_migration_locks_for_long(postgres_url: str) -> None:
    """Each migration of a catalog in use is read: no statement holds a strong lock while it goes through a table."""
    at_revision(postgres_url, "0002")
    with told() as found:
        migrate.upgrade(postgres_url)
    upgraded = sorted(found)
    assert upgraded[0] == "0003"
    assert upgraded[-1] == revisions.head()
    assert {name: list(long_locks(statements)) for name, statements in found.items()} == {name: [] for name in upgraded}


@pytest.mark.parametrize(
    ("text", "alone", "bad"),
    [
        ("CREATE INDEX ix_a ON artifacts (size)", False, True),
        ("CREATE UNIQUE INDEX IF NOT EXISTS ix_a ON artifacts (size)", False, True),
        ("CREATE INDEX CONCURRENTLY ix_a ON artifacts (size)", True, False),
        ("CREATE INDEX ix_a ON ONLY events (at)", False, False),
        ("CREATE INDEX ix_a ON switches (at)", False, False),
        ("CREATE TABLE new (id UUID); CREATE INDEX ix_new ON new (id)", False, False),
        ("ALTER TABLE blobs ADD COLUMN x TEXT DEFAULT 'a; b'", False, False),
        ("ALTER TABLE blobs ADD COLUMN x UUID DEFAULT gen_random_uuid()", False, True),
        ("ALTER TABLE blobs ADD COLUMN x UUID REFERENCES names (id)", False, True),
        ("ALTER TABLE blobs ALTER COLUMN size SET NOT NULL", False, True),
        ("ALTER TABLE blobs ALTER COLUMN size TYPE NUMERIC", False, True),
        ("ALTER TABLE blobs ADD CONSTRAINT c CHECK (size > 0)", False, True),
        ("ALTER TABLE blobs ADD CONSTRAINT c CHECK (size > 0) NOT VALID", False, False),
        ("ALTER TABLE blobs ADD CONSTRAINT c CHECK (a) NOT VALID, ADD CONSTRAINT d CHECK (b)", False, True),
        ("ALTER TABLE blobs VALIDATE CONSTRAINT c", False, True),
        ("ALTER TABLE blobs VALIDATE CONSTRAINT c", True, False),
        ("UPDATE placements SET pin = NULL", False, True),
        ("UPDATE placements SET pin = NULL WHERE id IN (SELECT id FROM placements LIMIT 5)", True, False),
        ("DELETE FROM deliveries WHERE kind = 'malformed'", False, False),
        ("CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE placements SET pin = 1; END $$", False, False),
        ("-- a word\nLOCK TABLE artifacts", False, True),
        ("TRUNCATE commands", False, True),
    ],
)
def test_what_is_a_long_lock(text: str, alone: bool, bad: bool) -> None:  # noqa: FBT001  parameters of pytest
    """The reader of migrations knows the statements that go through a table under a strong lock."""
    assert bool(list(long_locks([Statement(text, alone)]))) is bad


def test_an_upgrade_lets_others_through(postgres_url: str) -> None:
    """While a dump reads for a long time the upgrade waits, and whoever comes meanwhile waits for a second at most."""
    engine = at_revision(postgres_url, "0002")
    longest, reading = 0.0, scale.scaled(short=5, long=20)
    # not the upgrade's engine: every statement is a transaction of its own
    user = engine.execution_options(isolation_level="AUTOCOMMIT")
    reader = engine.execution_options(isolation_level="REPEATABLE READ")
    with ThreadPoolExecutor(1) as threads, user.connect() as here:
        here.execute(sa.text(f"SET statement_timeout = '{PATIENT}s'"))  # who waits for longer waits for the dump's end
        with reader.connect() as dump, dump.begin():
            for table in TABLES:
                dump.execute(reads(table))
            upgrading = threads.submit(migrate.upgrade, postgres_url)
            end = time.monotonic() + reading
            while time.monotonic() < end:
                for table in TABLES:
                    begun = time.monotonic()
                    here.execute(reads(table))
                    longest = max(longest, time.monotonic() - begun)
            assert not upgrading.done()
        assert upgrading.result(60) == [f"catalog upgraded from 0002 at revision {revisions.head()}"]
    assert 0.5 < longest < PATIENT  # it did wait behind the upgrade


def test_an_upgrade_gives_up_in_the_end(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others never let go, the upgrade says so; what it did stays, and the next goes on from there."""
    engine = at_revision(postgres_url, "0008")
    monkeypatch.setattr(migrate, "_PATIENCE", 1.0)
    with engine.connect() as worker, worker.begin():
        worker.execute(sa.text("LOCK TABLE artifacts IN ROW EXCLUSIVE MODE"))
        with pytest.raises(CatalogUnavailable, match="lock timeout"):
            migrate.upgrade(postgres_url)
    assert migrate.upgrade(postgres_url) == [f"catalog upgraded from 0009 at revision {revisions.head()}"]


class Clock:
    """A clock that only its own sleeps, and the work of the test, move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.mark.parametrize(
    ("reached", "tries"),
    [
        (["0009", "0009", "0010", "0010", "0011", "0012"], 7),  # it was never without progress for all its patience
        (["0009", "0009", "0009"], 3),
        (["0009", "0010", "0010", "0010"], 4),
    ],
)
def test_patience_is_counted_from_the_last_progress(
    monkeypatch: pytest.MonkeyPatch, reached: list[str], tries: int
) -> None:
    """Each migration has its whole patience to get its locks, however long those before it took or waited."""
    clock, upgrades, revisions = Clock(), 0, iter(reached)

    def upgrade(*_: object) -> None:
        nonlocal upgrades
        upgrades += 1
        clock.sleep(0.6 * migrate._PATIENCE)
        if upgrades <= len(reached):
            raise sa.exc.DBAPIError("ALTER TABLE", None, psycopg.errors.LockNotAvailable("canceled"))

    monkeypatch.setattr(migrate, "time", clock)
    monkeypatch.setattr(command, "upgrade", upgrade)
    monkeypatch.setattr(migrate, "revision_found", lambda _connection: next(revisions))
    gives_up: AbstractContextManager[object] = pytest.raises(sa.exc.DBAPIError, match="canceled")
    with gives_up if tries == len(reached) else nullcontext():
        migrate._try_again(sa.create_engine("sqlite://"))
    assert upgrades == tries


def test_an_index_that_is_there_is_kept(postgres_url: str) -> None:
    """A valid index, which an upgrade that was stopped later made, is not built once more."""
    engine = at_revision(postgres_url, "0005")
    of = sa.text("SELECT 'ix_placements_unseen'::regclass::oid")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE placements ADD COLUMN unseen_since TIMESTAMPTZ"))
        connection.execute(
            sa.text("CREATE INDEX ix_placements_unseen ON placements (unseen_since) WHERE unseen_since IS NOT NULL")
        )
        before = connection.execute(of).scalar_one()
    migrate.upgrade(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(of).scalar_one() == before


def test_an_index_that_failed_is_made_again(postgres_url: str) -> None:
    """What an upgrade that was killed left, an invalid index and columns that are there already, is no hindrance."""
    engine = at_revision(postgres_url, "0005")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE placements ADD COLUMN unseen_since TIMESTAMPTZ"))
        connection.execute(sa.text("CREATE INDEX ix_placements_unseen ON placements (unseen_since)"))
        connection.execute(
            sa.text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_placements_unseen'::regclass")
        )
    migrate.upgrade(postgres_url)
    with engine.connect() as connection:
        valid = sa.text(
            "SELECT indisvalid, pg_get_expr(indpred, indrelid) FROM pg_index"
            " WHERE indexrelid = 'ix_placements_unseen'::regclass"
        )
        assert tuple(connection.execute(valid).one()) == (True, "(unseen_since IS NOT NULL)")


def test_the_first_catalog_comes_along(postgres_url: str, settings_factory: Callable[..., Settings]) -> None:
    """A catalog that one of the first commits of 0.1.0 wrote is upgraded, its artifacts are read, and it is sound."""
    engine = engine_of(postgres_url)
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(FIRST.read_text())
        # its times are those of the day on which it was written
        shift = connection.execute(sa.text("SELECT now() - max(stored_at) FROM artifacts")).scalar_one()
        for table, column in (("artifacts", "created_at"), ("artifacts", "purge_at"), ("schedule", "due_at")):
            time_of = sa.column(column, sa.DateTime(timezone=True))
            connection.execute(sa.update(sa.table(table, time_of)).values({column: time_of + shift}))
    settings = settings_factory(engine=AT_ONCE, catalog={"url": postgres_url}, tiers=FOLDERS)
    contents = {sha256(content).hexdigest(): content for content in (b"first", b"second", b"record")}
    hot = Path(urlsplit(settings.tiers["hot"].url).path)
    hot.joinpath(".tmp").mkdir(parents=True)
    with engine.connect() as connection:
        for location, sidecar in connection.execute(SIDECARS):
            place = hot / location
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents[sidecar["sha256"]])
            place.with_name(place.name + ".metadata.json").write_text(json.dumps(sidecar))
    with Keeper.open(settings) as keeper:
        assert keeper.init(caller=callers.INIT)[0] == f"catalog upgraded from 0002 at revision {revisions.head()}"
        house = House(keeper, settings)
        assert [house.read("one.txt", version) for version in (1, 2)] == [b"first", b"second"]
        assert house.show("gone.txt").state is ArtifactState.DELETED
        house.settle()
        assert (house.read("three.txt"), house.tiers("three.txt")) == (b"record", {"cold"})
        invariants.check(keeper)


def test_what_stays_of_detached_months_goes_back_into_the_log(postgres_url: str) -> None:
    """The earlier version counts revisions, and knows the ends of copies, by the events alone."""
    migrate.upgrade(postgres_url)
    engine = engine_of(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text(KEPT))
    assert migrate.downgrade(postgres_url, "0013") == revisions.head()
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT revision, type, actor, after FROM events")).all()
    assert [tuple(row) for row in rows] == [(7, "deletes switched", "tester", {"enabled": True})]


def test_a_catalog_goes_back(postgres_url: str) -> None:
    """A downgrade leaves the tables that the earlier version made, and refuses what is no way back."""
    engine = at_revision(postgres_url, "0003")

    def columns() -> set[tuple[str, ...]]:
        with engine.connect() as connection:
            told = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            return {tuple(row) for row in connection.execute(sa.text(told))}

    before = columns()
    migrate.upgrade(postgres_url)
    assert columns() > before
    for refused in ("0099", revisions.head(), "head", "-1"):
        with pytest.raises(InvalidInput, match=f"is not before the catalog's, {revisions.head()}"):
            migrate.downgrade(postgres_url, refused)
    assert migrate.downgrade(postgres_url, "0003") == revisions.head()
    assert columns() == before
    assert migrate.upgrade(postgres_url) == [f"catalog upgraded from 0003 at revision {revisions.head()}"]
