"""Upgrades of a catalog in use: nobody waits for long, nothing is left half made, and the first catalogs come along."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from support import invariants, scale
from support.catalogs import FOLDERS
from support.house import AT_ONCE, House
from support.long_locks import Statement, held_together, long_locks

from models.tables import METADATA
from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogUnavailable, InvalidInput
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import migrate, revisions
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.values.parking import DeadLetter, Sent, StuckFilter

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
    transactions = count()
    transaction = [next(transactions)]

    def note(connection: sa.Connection, _cursor: Any, text: str, arguments: Any, *_more: Any) -> None:  # noqa: ANN401
        if text.startswith("UPDATE alembic_version"):
            revision = text.split("'")[1]
            found[revision] += some
            some.clear()
        elif text.split(maxsplit=1)[0] not in {"SELECT", "SET"}:
            alone = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
            some.append(Statement(text, alone, transaction[0]))

    def end(_connection: sa.Connection) -> None:
        transaction[0] = next(transactions)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    sa.event.listen(sa.Engine, "commit", end)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
        sa.event.remove(sa.Engine, "commit", end)


def test_no_migration_locks_for_long(postgres_url: str) -> None:
    """Each migration of a catalog in use is read: no statement holds a strong lock while it goes through a table.

    No transaction holds one while it waits for another table's.
    """
    at_revision(postgres_url, "0002")
    with told() as found:
        migrate.upgrade(postgres_url)
    upgraded = sorted(found)
    assert upgraded[0] == "0003"
    assert upgraded[-1] == revisions.head()
    assert {name: list(long_locks(statements)) for name, statements in found.items()} == {name: [] for name in upgraded}
    tables = METADATA.tables.keys()
    assert {name: list(held_together(statements, tables)) for name, statements in found.items()} == {
        name: [] for name in upgraded
    }


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


@pytest.mark.parametrize(
    ("texts", "together"),
    [
        (["ALTER TABLE blobs ADD COLUMN x TEXT; ALTER TABLE names ADD COLUMN x TEXT"], [{"blobs", "names"}]),
        (["ALTER TABLE blobs ADD COLUMN x TEXT", "DROP INDEX ix_plan_items_due"], [{"blobs", "plan_items"}]),
        (["CREATE TRIGGER t BEFORE UPDATE ON blobs", "CREATE INDEX ix ON runs (id)"], [{"blobs", "runs"}]),
        (["ALTER TABLE blobs ADD COLUMN x TEXT", "ALTER TABLE blobs ADD COLUMN y TEXT"], []),
        (["ALTER TABLE blobs ADD COLUMN x TEXT", "ALTER TABLE runs VALIDATE CONSTRAINT c"], []),
        (["ALTER TABLE blobs ADD COLUMN x TEXT", "CREATE TABLE new (id UUID)", "CREATE INDEX ix ON new (id)"], []),
    ],
)
def test_what_is_held_together(texts: list[str], together: list[set[str]]) -> None:
    """The reader of migrations knows which tables a transaction locks, where others wait for one after another."""
    tables = METADATA.tables.keys()
    assert list(held_together([Statement(text) for text in texts], tables)) == together
    assert list(held_together([Statement(text, transaction=n) for n, text in enumerate(texts)], tables)) == (
        together if len(texts) == 1 else []
    )


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
    clock, upgrades, reaching = Clock(), 0, iter(reached)

    def upgrade(*_: object) -> None:
        nonlocal upgrades
        upgrades += 1
        clock.sleep(0.6 * migrate._PATIENCE)
        if upgrades <= len(reached):
            raise sa.exc.DBAPIError("ALTER TABLE", None, psycopg.errors.LockNotAvailable("canceled"))

    monkeypatch.setattr(migrate, "time", clock)
    monkeypatch.setattr(command, "upgrade", upgrade)
    monkeypatch.setattr(revisions, "current", lambda _connection: next(reaching))
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


#: what a catalog is made of, but for its rows and the partitions of events
SHAPE = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
        FROM information_schema.columns
        WHERE table_schema = 'public' AND NOT starts_with(table_name, 'events_')
    """,
    "indexes": """
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT starts_with(tablename, 'events_')
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND NOT starts_with(conrelid::regclass::text, 'events_')
    """,
    "triggers": """
        SELECT pg_get_triggerdef(oid)
        FROM pg_trigger
        WHERE NOT tgisinternal AND tgparentid = 0 AND NOT starts_with(tgrelid::regclass::text, 'events_')
    """,
    "functions": """
        SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    """,
}


def shape(engine: sa.Engine) -> dict[str, set[tuple[str, ...]]]:
    """What a catalog is made of."""
    with engine.connect() as connection:
        return {what: {tuple(row) for row in connection.execute(sa.text(asked))} for what, asked in SHAPE.items()}


#: what revisions have a place for, and earlier ones do not: of a store's refusals, of failures, of doubts
MARKS = (
    "UPDATE placements SET refused_since = now(), refused_at = now(), refusals = 1, refusal_code = 'x', refusal = 'y'",
    "UPDATE placements SET vouched = NULL, pin = NULL, missed_at = now(), unseen_since = now(), verified_at = NULL",
    "UPDATE schedule SET failures = 1, failed_code = 'x', failed_tier = 'hot', failed_words = 'y', failed_at = now()",
    "INSERT INTO quarantine (tier, location, first_seen, refused_since) VALUES ('hot', 'orphan', now(), now())",
    "INSERT INTO switches (name, value, by, reason, at) VALUES ('refused:verify:hot', '{}', 'x', 'y', now())",
    "UPDATE runs SET state = 'approved' WHERE kind = 'verify'",
)


def test_a_catalog_goes_back(postgres_url: str, settings_factory: Callable[..., Settings]) -> None:
    """A downgrade leaves just what each earlier version made, whatever is in the catalog; no other way is one back."""
    engine = engine_of(postgres_url)
    every = revisions.known()[1:]
    assert every[0] == "0002"
    assert len(every) >= 14
    shapes = {}
    for revision in every:
        at_revision(postgres_url, revision)
        shapes[revision] = shape(engine)
    settings = settings_factory(engine=AT_ONCE, catalog={"url": postgres_url}, tiers=FOLDERS)
    with Keeper.open(settings) as keeper:
        keeper.init(caller=callers.INIT)
        House(keeper, settings).store()
        keeper.deliveries.refuse(DeadLetter(b"x", 1, sha256(b"x").digest(), "bad", "redis", "verbs", "unknown"))
        keeper.deliveries.park(Sent("tierkeeper.store", "a key", {}), reason="given up")
        keeper.parked.skip(StuckFilter(), caller=callers.INIT)
        keeper.sweeps.verify(share=1.0, caller=callers.INIT)
    with engine.begin() as connection:
        changed = [connection.execute(sa.text(mark)).rowcount for mark in MARKS]
    assert min(changed) > 0
    for refused in ("0099", revisions.head(), "head", "-1"):
        with pytest.raises(InvalidInput, match=f"is not before the catalog's, {revisions.head()}"):
            migrate.downgrade(postgres_url, refused)
    at = revisions.head()
    for revision in reversed(every[:-1]):
        assert migrate.downgrade(postgres_url, revision) == at
        assert shape(engine) == shapes[revision], revision
        at = revision
    assert migrate.upgrade(postgres_url) == [f"catalog upgraded from {at} at revision {revisions.head()}"]
    assert shape(engine) == shapes[revisions.head()]


def test_work_of_the_release_before_holds_no_upgrade_up(postgres_url: str) -> None:
    """Rows that it makes, and makes match again, behind and ahead of the batches, are not followed for ever."""
    engine = at_revision(postgres_url, "0003")
    with engine.begin() as connection:
        blob = sa.text("INSERT INTO blobs (id, scope, sha256, size) VALUES (:id, 'acme', sha256(''), 1)")
        connection.execute(blob, {"id": UUID(int=1)})
    numbers = count(2)
    copied = sa.text(
        "INSERT INTO placements (id, blob_id, tier, location, state, store_version, stored_size, verified_at,"
        " delete_after) VALUES (:id, :blob, 'warm', :location, 'doomed', 'v1', 1, now(), now())"
    )

    def work(_connection: sa.Connection, _cursor: Any, text: str, *_more: Any) -> None:  # noqa: ANN401
        number = next(numbers) if "WITH chosen AS" in text else 0
        if 0 < number < 50:  # then it ends, so that the test does
            with engine.begin() as connection:
                connection.execute(sa.text("UPDATE placements SET verified_at = now()"))
                connection.execute(copied, {"id": UUID(int=number), "blob": UUID(int=1), "location": str(number)})

    with engine.begin() as connection:
        connection.execute(copied, {"id": UUID(int=1), "blob": UUID(int=1), "location": "first"})
    with told() as found:
        sa.event.listen(sa.Engine, "before_cursor_execute", work)
        try:
            migrate.upgrade(postgres_url)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", work)
    assert sum("WITH chosen AS" in statement.text for statement in found["0004"]) < 12
    with engine.connect() as connection:
        assert not connection.scalar(sa.text("SELECT count(*) FROM placements WHERE vouched IS NOT NULL"))
