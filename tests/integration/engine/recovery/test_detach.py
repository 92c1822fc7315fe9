"""Months of events leave the catalog once a file has them, and nothing that asks for them gets another answer."""

import gzip
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from support import catalogs, months
from support.callers import TESTER
from support.catalogs import Catalog
from support.house import House

from tierkeeper.audit.catalog import RestoreRecognised
from tierkeeper.audit.position import Position
from tierkeeper.base.errors import (
    CatalogRestored,
    DeletesDisabled,
    EventsHeld,
    InvalidInput,
    InvalidPosition,
    MonthChanged,
    SegmentMismatch,
)
from tierkeeper.base.states import Outcome
from tierkeeper.catalog import dumps, epochs, events, partitions, switches
from tierkeeper.catalog.database import catalog_now
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import accept, detach, doctor, dump_files, rebuild
from tierkeeper.engine.trust import epoch
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import ObjectKey
from tierkeeper.values.detaching import DetachedMonth
from tierkeeper.values.health import Condition

LATE = """
    INSERT INTO events (subject, revision, at, type, actor) VALUES (gen_random_uuid(), 1, :at, 'placed', 'tester')
"""
#: the first two events in the order of positions are of this month
EARLY = """
    UPDATE events e
    SET at = now()
    FROM (SELECT subject, revision FROM events ORDER BY xid, subject, revision LIMIT 2) f
    WHERE e.subject = f.subject AND e.revision = f.revision
"""
LOG = "SELECT count(*) AS number FROM events"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder for the files, outside the home."""
    folder = tmp_path / "events"
    folder.mkdir()
    return folder


def lived(house: House) -> None:
    """Let one artifact end and another one live, long ago."""
    house.store("gone", b"gone")
    house.purge("gone")
    house.pass_time(timedelta(days=30))
    house.settle()
    house.store("here", b"here", age=timedelta(days=8))
    house.settle()
    months.age(house)
    months.dumped(house)


def log(house: House) -> int:
    """How many events the catalog has."""
    return int(house.sql(LOG)[0].number)


def test_a_month_goes_into_a_file_and_explain_answers_as_before(house: House, target: Path) -> None:
    """The file has every event once, in order, for the group to read; explain says the same, and where the rest is."""
    lived(house)
    before = [house.keeper.artifacts.explain(house.ref(name)) for name in ("gone", "here")]
    expected, number = months.old(house), log(house)
    done = months.detach(house, target)
    assert {month.outcome for month in done} == {Outcome.DONE}
    assert sum(month.events for month in done) == len(expected) >= 10
    assert months.written(target) == expected
    assert {stat.S_IMODE(file.stat().st_mode) for file in months.files(target)} == {0o640}
    noted = list(house.keeper.events.select(type="month_detached", newest_first=False))
    assert log(house) == number - len(expected) + len(noted)
    assert [(e.after or {})["sha256"] for e in noted] == [month.sha256 for month in done]
    assert {(e.after or {})["host"] for e in noted} == {socket.gethostname()}
    gone, here = (house.keeper.artifacts.explain(house.ref(name)) for name in ("gone", "here"))
    assert (gone.rule, gone.reason) == (before[0].rule, before[0].reason)
    assert "destroyed" in gone.reason
    kept = [event for event in before[0].history if event.type not in {"moved", "placed"}]
    assert [(e.type, e.at, e.before, e.after, e.actor, e.policy) for e in gone.history] == [
        (e.type, e.at, e.before, e.after, e.actor, e.policy) for e in kept
    ]
    first = before[1].history[0]
    assert (here.history[0].type, here.history[0].age_days) == ("stored", first.age_days)
    for view in (gone.artifact, here.artifact, house.show("here")):
        assert view.events_cut is not None
        assert (view.events_cut.before, view.events_cut.files) == (_end(done[-1].month), tuple(m.file for m in done))
    house.store("new", b"new")
    assert house.show("new").events_cut is None
    for statement in ("DELETE FROM history", "UPDATE history SET actor = 'nobody'"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            house.sql(statement)


def _end(month: str) -> datetime:
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return (begin + timedelta(days=32)).replace(day=1)


def test_a_dry_run_changes_nothing(house: House, target: Path) -> None:
    """It tells every month with its reason; no file is written, and the catalog has all events."""
    lived(house)
    number = log(house)
    planned = months.detach(house, target, dry_run=True)
    assert [month.dry_run for month in planned] == [True] * len(planned) != []
    assert (log(house), list(target.iterdir())) == (number, [])
    assert house.sql("SELECT FROM history UNION ALL SELECT FROM segments") == []


@pytest.mark.parametrize("spoil", ["a line", "the order", "the end", "more", "the gzip", "a link"])
def test_a_file_that_differs_keeps_its_month(house: House, target: Path, spoil: str) -> None:
    """The month stays as it is, and the error names the file."""
    lived(house)
    done = next(iter(months.detach(house, target, dry_run=True)))
    path = Path(done.file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detach, "step_4_detach", _stopped)
        with pytest.raises(KeyboardInterrupt):
            months.detach(house, target)
    texts = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    spoilt = {
        "a line": [texts[0].replace(b'"revision": 1', b'"revision": 7', 1), *texts[1:]],
        "the order": [texts[1], texts[0], *texts[2:]],
        "the end": texts[:-1],
        "more": [*texts, texts[-1]],
    }
    if spoil == "the gzip":
        path.write_bytes(path.read_bytes()[:-9])
    elif spoil == "a link":
        path.rename(target / "elsewhere")
        path.symlink_to(target / "elsewhere")
    else:
        path.write_bytes(gzip.compress(b"".join(spoilt[spoil])))
    number = log(house)
    with pytest.raises(OSError if spoil == "a link" else SegmentMismatch, match=path.name):
        months.detach(house, target)
    assert log(house) == number
    assert house.sql("SELECT FROM segments") == []


def _stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_is_written_meanwhile_keeps_its_month(house: House, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that comes after the file was read back is never lost: the month stays."""
    lived(house)
    (at,) = (row.at for row in house.sql("SELECT min(at) AS at FROM events"))
    whole = detach.step_3_keep

    def late(*args: Any, **given: Any) -> None:  # noqa: ANN401  handed on
        whole(*args, **given)
        house.sql(LATE, at=at)

    monkeypatch.setattr(detach, "step_3_keep", late)
    number = log(house)
    with pytest.raises(MonthChanged):
        months.detach(house, target)
    assert log(house) == number + 1
    assert house.sql("SELECT FROM segments") == []


def test_what_is_not_kept_keeps_its_month(house: House, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month goes only if all that stays of it is in the catalog, as it was."""
    lived(house)
    monkeypatch.setattr(detach, "step_3_keep", lambda *_, **__: None)
    number = log(house)
    with pytest.raises(MonthChanged, match="not kept"):
        months.detach(house, target)
    assert log(house) == number


def test_a_month_that_may_get_events_is_refused(house: House, target: Path) -> None:
    """The present month and, for two days, the one before: nothing is done, not even to older ones."""
    lived(house)
    number = log(house)
    after = (months.this_month() + timedelta(days=32)).replace(day=1)
    with pytest.raises(InvalidInput, match="may still be written"):
        list(house.keeper.events.detach(before=after, folder=target, caller=TESTER))
    assert log(house) == number


def test_a_month_stays_while_a_transaction_is_open(house: House, target: Path) -> None:
    """Its events have no final position: a reader by position could miss them."""
    lived(house)
    with house.keeper.engine.catalog.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        house.sql(LATE, at=datetime.now(UTC) - months.LONG_AGO)
        (refused,) = months.detach(house, target)
        assert (refused.outcome, refused.detail[:13]) == (Outcome.REFUSED, "a transaction")
    (refused,) = months.detach(house, target)
    assert (refused.outcome, "catalog dump" in refused.detail) == (Outcome.REFUSED, True)
    months.dumped(house)
    assert {month.outcome for month in months.detach(house, target)} == {Outcome.DONE}


def test_a_month_that_is_in_no_dump_stays(house: House, target: Path) -> None:
    """The next dump would lack it, and say that it has all events."""
    house.store()
    months.age(house)
    (refused,) = months.detach(house, target)
    assert (refused.outcome, "catalog dump" in refused.detail) == (Outcome.REFUSED, True)
    months.dumped(house)
    assert {month.outcome for month in months.detach(house, target)} == {Outcome.DONE}


def test_nothing_goes_while_deletes_are_off(house: House, target: Path) -> None:
    """Whoever stopped the deletes wants to look at what happened."""
    lived(house)
    house.keeper.deletes.switch(enabled=False, reason="a look", caller=TESTER)
    with pytest.raises(DeletesDisabled):
        months.detach(house, target)


def test_nothing_goes_from_a_catalog_that_is_not_trusted(house: House, target: Path) -> None:
    """A restored one may lack events of its months, and their files would be taken for all of them."""
    lived(house)

    def distrust(connection: sa.Connection) -> None:
        epochs.lock(connection)
        now = catalog_now(connection)
        epochs.set_trust(connection, epochs.RESTORED, by="tester", reason="put back", now=now, event=RestoreRecognised)

    house.keeper.engine.catalog.run(TESTER, distrust)
    with pytest.raises(CatalogRestored):
        months.detach(house, target)


def deletes_off(house: House) -> None:
    """An operator stops the deletes."""
    house.keeper.deletes.switch(enabled=False, reason="a look", caller=TESTER)


def distrusted(house: House) -> None:
    """Another worker finds that the catalog was restored."""
    epoch.recognise(house.keeper.engine.catalog, "put back", caller=TESTER)


def no_dump(house: House) -> None:
    """The segments of the dumps go, which have the month's events."""
    store = house.keeper.engine.store("cold")
    store.delete([ObjectKey(each.location) for each in store.list(dump_files.EVENTS_FOLDER)])


MEANWHILE: dict[str, tuple[Callable[[House], None], type[Exception] | None]] = {
    "deletes off": (deletes_off, DeletesDisabled),
    "distrusted": (distrusted, CatalogRestored),
    "no dump": (no_dump, None),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_stops_a_month_is_asked_at_its_commit_point(
    house: House, target: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """An export takes hours: what would have refused it before keeps the month when it comes meanwhile."""
    lived(house)
    (happens, error), whole = MEANWHILE[what], detach.step_3_keep

    def late(*args: Any, **given: Any) -> None:  # noqa: ANN401  handed on
        whole(*args, **given)
        happens(house)

    monkeypatch.setattr(detach, "step_3_keep", late)
    number = len(months.old(house))
    if error is not None:
        with pytest.raises(error):
            months.detach(house, target)
    else:
        (refused,) = months.detach(house, target)
        assert (refused.outcome, "catalog dump" in refused.detail) == (Outcome.REFUSED, True)
    assert len(months.old(house)) == number
    assert house.sql("SELECT FROM segments") == []


def test_a_transaction_that_opens_meanwhile_keeps_its_month(
    house: House, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower could miss events whose positions are not final at the moment at which the month goes."""
    lived(house)
    answers = iter([False, True])
    monkeypatch.setattr(events, "unsettled", lambda *_, **__: next(answers))
    (refused,) = months.detach(house, target)
    assert (refused.outcome, refused.detail[:13]) == (Outcome.REFUSED, "a transaction")
    assert house.sql("SELECT FROM segments") == []


@pytest.mark.parametrize("what", ["line", "server"])
def test_what_another_line_or_server_dumped_keeps_its_month(
    house: House, target: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A restore is accepted, or the database fails over, after the dumps were listed: the next dump lacks the month."""
    lived(house)
    whole = detach._dumped  # what the commit point is given, and then finds changed

    def earlier(engine: Engine) -> object:
        found = whole(engine)
        assert found is not None
        if what == "line":
            return replace(found, line=uuid4())
        return replace(found, end=replace(found.end, cluster="7-1"))

    answers = iter([whole, earlier])

    def asked(engine: Engine) -> object:
        return next(answers)(engine)

    monkeypatch.setattr(detach, "_dumped", asked)
    (refused,) = months.detach(house, target)
    assert (refused.outcome, "catalog dump" in refused.detail) == (Outcome.REFUSED, True)
    assert house.sql("SELECT FROM segments") == []


@pytest.mark.parametrize("before", ["_judged", "step_1_export", "step_2_read_back", "step_4_detach", "step_5_drop"])
def test_a_month_that_another_process_takes_is_told(
    house: House, target: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """Two commands at once: one of them takes the month; the other says so, and leaves no file without its events."""
    lived(house)
    expected, others = months.old(house), target / "others"
    others.mkdir()
    whole, taken = getattr(detach, before), list[DetachedMonth]()

    def late(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        if not taken:
            with monkeypatch.context() as patch:
                patch.setattr(detach, before, whole)
                taken.extend(months.detach(house, others))
        return whole(*args, **given)

    monkeypatch.setattr(detach, before, late)
    done = months.detach(house, target)
    if before == "step_5_drop":
        assert {month.outcome for month in done[:1]} == {Outcome.DONE}
    else:
        (refused,) = done
        assert (refused.outcome, "another" in refused.detail) == (Outcome.REFUSED, True)
        assert months.written(others) == expected
    assert len(months.files(target)) == (before not in {"_judged", "step_1_export"})
    assert all(path.stat().st_size > 100 for path in months.files(target))


def test_two_processes_drop_one_table(house: House, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has seen that a detached month's table is still there."""
    lived(house)
    with monkeypatch.context() as patch:
        patch.setattr(detach, "step_5_drop", _stopped)
        with pytest.raises(KeyboardInterrupt):
            months.detach(house, target)
    catalog = house.keeper.engine.catalog
    with catalog.reading() as connection:
        (month,) = partitions.left(connection)
    catalog.run(TESTER, partitions.drop, month)
    monkeypatch.setattr(partitions, "left", lambda _connection: [month])
    catalog.run(TESTER, partitions.drop, month)


def test_a_file_that_was_there_is_brought_to_the_disk(
    house: House, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy by hand, or a process that was killed, leaves a file that a power cut would take after its month went."""
    lived(house)
    with monkeypatch.context() as patch:
        patch.setattr(detach, "step_4_detach", _stopped)
        with pytest.raises(KeyboardInterrupt):
            months.detach(house, target)
    (path,) = months.files(target)
    synced, fsync = set[int](), os.fsync

    def note(file: int) -> None:
        synced.add(os.fstat(file).st_ino)
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    months.detach(house, target)
    assert {path.stat().st_ino, target.stat().st_ino} <= synced


def test_the_files_lie_apart_from_the_tiers(house: House) -> None:
    """In a tier reconcile would take them for stray copies; in the home they would be lost with the catalog."""
    for folder in (house.settings.home / "events", Path(house.settings.tiers["cold"].url.removeprefix("file://"))):
        folder.mkdir(parents=True, exist_ok=True)
        with pytest.raises(InvalidInput, match="--to"):
            months.detach(house, folder)


def test_who_holds_the_log_is_not_waited_for_long(house: House, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that reads the log keeps the month; nobody waits behind it for longer than a second."""
    lived(house)
    monkeypatch.setattr(detach, "TRIES", 1)
    with house.keeper.engine.catalog.engine.connect() as reader:
        reader.exec_driver_sql(LOG)
        with pytest.raises(EventsHeld):
            months.detach(house, target)
        house.store("b", b"b")
    assert {month.outcome for month in months.detach(house, target)} == {Outcome.DONE}


def test_a_dump_and_a_month_do_not_meet(house: House, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that goes while a dump is made would be neither in its events nor in its history."""
    lived(house)
    monkeypatch.setattr(detach, "TRIES", 1)
    with dumps.snapshot(house.keeper.engine.catalog), pytest.raises(EventsHeld):
        months.detach(house, target)


def test_revisions_go_on(house: House, target: Path) -> None:
    """Subjects that no row counts the events of go on from their last revision, which is in no partition any more."""
    house.keeper.deletes.switch(enabled=False, reason="a test", caller=TESTER)
    house.keeper.deletes.switch(enabled=True, reason="a test", caller=TESTER)
    lived(house)
    with house.keeper.engine.catalog.reading() as connection:
        before = [events.next_revision(connection, s) for s in (switches.DELETES, epochs.CATALOG)]
    number = len(months.detach(house, target))
    with house.keeper.engine.catalog.reading() as connection:
        after = [events.next_revision(connection, s) for s in (switches.DELETES, epochs.CATALOG)]
    assert after == [before[0], before[1] + number]


def test_bytes_of_a_copy_that_ended_are_not_a_strangers(house: House, target: Path) -> None:
    """The ends of copies stay: reconcile knows bytes that somebody puts back, and trusts the catalog."""
    lived(house)
    rows = house.sql("SELECT subject FROM events WHERE type = 'collected' AND at < :end", end=months.this_month())
    ended = {row.subject for row in rows}
    with house.keeper.engine.catalog.reading() as connection:
        before = events.ends_of(connection, ended)
    months.detach(house, target)
    with house.keeper.engine.catalog.reading() as connection:
        assert events.ends_of(connection, ended) == before
    assert set(before) == ended != set()


def test_a_reader_by_position_is_told(house: House, target: Path) -> None:
    """One that has read all that went goes on; one that has not is refused, rather than left without it."""
    lived(house)
    with house.keeper.engine.catalog.reading() as connection:
        found = events.after(connection, None, limit=1000)
    went = [event for event in found if event.at < months.this_month()]
    months.detach(house, target)
    last, earlier = (Position.read(str(event.position)) for event in (went[-1], went[-2]))
    with house.keeper.engine.catalog.reading() as connection:
        rest = events.after(connection, last, limit=1000)
        assert [e.subject for e in rest[: len(found) - len(went)]] == [e.subject for e in found[len(went) :]]
        with pytest.raises(InvalidPosition, match="in files"):
            events.after(connection, earlier, limit=1000)


def test_who_begins_can_continue(house: House, target: Path) -> None:
    """Events of the next month stand among those that went: the first page has them all, whatever its limit."""
    lived(house)
    with house.keeper.engine.catalog.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))  # the log is append-only
        connection.execute(sa.text(EARLY))
    months.dumped(house)
    months.detach(house, target)
    number = log(house)
    with house.keeper.engine.catalog.reading() as connection:
        begun = events.after(connection, None, limit=1)
        rest = events.after(connection, Position.read(str(begun[-1].position)), limit=1000)
    assert len(begun) == 3
    assert len(begun) + len(rest) == number


def test_the_doctor_finds_no_gap(house: House, target: Path) -> None:
    """What is in files is not missing; what is missing beside it is."""
    lived(house)
    months.detach(house, target)
    house.promote("here", "hot")

    def gaps() -> Condition:
        return next(one.condition for one in doctor.examine(house.keeper.engine) if one.check == "events missing")

    assert gaps() is Condition.OK
    house.sql("UPDATE artifacts SET revision = revision + 1")
    assert gaps() is not Condition.OK
    house.sql("UPDATE artifacts SET revision = revision - 1")


def test_a_rebuild_has_it_all(
    postgres_server: Postgres, catalog_template: str, settings_factory: Callable[..., Settings], target: Path
) -> None:
    """A dump has what stays, and its segments the rest: the months are back, and the catalog says so."""
    catalog: Catalog = catalogs.opener(postgres_server, catalog_template, settings_factory)
    with catalog() as house:
        lived(house)
        number = len(months.old(house))
        months.detach(house, target)
        months.dumped(house)
        before = house.keeper.artifacts.explain(house.ref("gone"))
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        after = house.keeper.artifacts.explain(house.ref("gone"))
        assert (after.rule, after.reason) == (before.rule, before.reason)
        assert [e.type for e in after.history][:1] == ["stored"]
        assert len({(e.revision, e.at) for e in after.history}) == len(after.history)
        assert after.artifact.events_cut is None
        assert len(months.old(house)) == number
        assert house.sql("SELECT count(*) AS n FROM history")[0].n > 5
        months.dumped(house)
        again = target / "again"
        again.mkdir()
        assert sum(month.events for month in months.detach(house, again)) == number
        assert months.lines(again) == months.lines(target)
