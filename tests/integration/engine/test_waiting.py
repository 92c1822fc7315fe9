"""A transaction that waited for its locks decides by the time and the rows of afterwards, and writes that time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from support.braking import fill, waiting
from support.callers import TESTER
from support.house import House, OpenHouse
from support.locking import locked, waited
from support.missing import copy_in

from tierkeeper.base.states import Vouched
from tierkeeper.catalog import identity
from tierkeeper.engine.copies import damage, pins
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.gates import survey
from tierkeeper.engine.policies import in_force
from tierkeeper.engine.read.access_times import AccessLog
from tierkeeper.engine.recovery import adopt
from tierkeeper.policy import document

ARTIFACTS = "SELECT FROM artifacts FOR NO KEY UPDATE"
SCHEDULE = "SELECT FROM schedule FOR NO KEY UPDATE"
SWITCHES = "SELECT FROM switches FOR UPDATE"
OPENING = "SELECT pg_advisory_xact_lock(x'74696B32'::int, hashtext('acme'))"
EVENT = "SELECT max(at) FROM events"
IDLE = """
name: idle
match: {tenant: acme}
clock: accessed
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 30d, in: [cold]}]
"""
SOON = "name: soon\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 1h, in: []}]"


@dataclass(frozen=True, slots=True)
class Case:
    """What is done, the lock that it waits for, and the query of the time that it writes."""

    act: Callable[[House], object]
    lock: str
    written: str
    before: Callable[[House], object] = lambda _house: None


def edit(house: House) -> None:
    """Edit a policy by which the artifact is due, and leave the recompute to a sweep."""
    house.days_pass(1)
    engine = house.keeper.engine
    edited = document.parse(SOON, source="test.yaml", tiers=engine.tiers)
    in_force.apply(engine.catalog, edited, caller=TESTER)


def read_late(house: House) -> None:
    """Let the artifact be in warm, as it was not read for long."""
    house.policy(IDLE)
    house.days_pass(8)
    house.turn()


def read(house: House) -> None:
    """Note a read, and write its time."""
    log = AccessLog(house.keeper.engine)
    log.note(house.show().id)
    log.flush()


def take_over(house: House) -> None:
    """Take over the copy's object, of which the catalog no longer knows."""
    (row,) = house.sql("DELETE FROM placements RETURNING tier, location, stored_size")
    lost = adopt.Object(row.tier, row.location, None, row.stored_size)
    adopt.adopt(house.keeper.engine, [lost], caller=TESTER, run=None, dry_run=False)


def report(house: House) -> None:
    """Report the copy as damaged."""
    damage.report(house.keeper.engine, copy_in(house, "hot"), Wrong("it is", missing=False), caller=TESTER)


def repin(house: House) -> None:
    """Note another pin of the copy."""
    pins.note(house.keeper.engine, copy_in(house, "hot"), pin="another", vouched=Vouched.READ)


CASES = {
    "a verb": Case(lambda house: house.purge(), SCHEDULE, "SELECT deleted_at FROM artifacts"),
    "a recompute": Case(
        lambda house: house.keeper.sweeps.recompute(), SCHEDULE, "SELECT due_at FROM schedule", before=edit
    ),
    "access times": Case(read, SCHEDULE, "SELECT due_at FROM schedule", before=read_late),
    "a survey": Case(
        lambda house: survey.survey(house.keeper.engine, caller=TESTER),
        OPENING,
        "SELECT at FROM events WHERE type = 'braked'",
        before=lambda house: fill(house, 11),
    ),
    "an adoption": Case(take_over, ARTIFACTS, "SELECT made_at FROM placements"),
    "damage": Case(report, ARTIFACTS, "SELECT damaged_at FROM placements"),
    "a copy that heals": Case(
        lambda house: damage.heal(house.keeper.engine, copy_in(house, "hot"), caller=TESTER),
        ARTIFACTS,
        EVENT,
        before=report,
    ),
    "a copy that is found again": Case(
        lambda house: damage.found_again(house.keeper.engine, copy_in(house, "hot"), caller=TESTER),
        ARTIFACTS,
        EVENT,
        before=lambda house: house.sql("UPDATE placements SET missed_at = now()"),
    ),
    "a new pin": Case(repin, ARTIFACTS, EVENT),
    "the switch for deletes": Case(
        lambda house: house.keeper.deletes.switch(enabled=False, caller=TESTER, reason="an audit"),
        SWITCHES,
        "SELECT at FROM switches WHERE name = 'deletes_enabled'",
    ),
    "a founding": Case(
        lambda house: house.keeper.engine.catalog.run(TESTER, identity.mark_founded, by="tester"),
        SWITCHES,
        "SELECT at FROM switches WHERE name = 'identity'",
        before=lambda house: house.sql(
            "UPDATE switches SET value = jsonb_set(value, '{founded}', 'false') WHERE name = 'identity'"
        ),
    ),
}


@pytest.fixture
def limited(open_house: OpenHouse) -> House:
    """An artifact in hot; policies delete at most ten artifacts of a tenant a day."""
    house = open_house(engine={"brake_share": 0, "brake_count": 10})
    house.store()
    return house


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_time_is_read_after_the_locks(limited: House, case: Case) -> None:
    """Whoever waits for a lock has a time that is not before the end of its wait."""
    case.before(limited)
    released = waited(limited, lambda: case.act(limited), case.lock)
    ((written,),) = limited.sql(case.written)
    assert written >= released
    limited.sql("UPDATE placements SET damaged_at = NULL")  # its bytes are right


def pass_by(house: House, end: datetime) -> None:
    """Wait until the catalog's time is past this."""
    house.sql("SELECT pg_sleep_until(CAST(:end AS timestamptz))", end=end)


def test_a_deadline_that_passes_while_a_survey_waits(limited: House) -> None:
    """A run is not ended for deletions that were few when the survey began to wait, and are too many afterwards."""
    fill(limited, 11)
    limited.turn()
    run = waiting(limited).id
    ((later,),) = limited.sql(
        "WITH moved AS (UPDATE schedule SET due_at = clock_timestamp() + interval '3 s' WHERE braked_by IS NOT NULL"
        " RETURNING due_at) SELECT max(due_at) FROM moved"
    )
    with locked(limited, OPENING) as held, ThreadPoolExecutor() as threads:
        future = threads.submit(survey.survey, limited.keeper.engine, caller=TESTER)
        held.wait_for(future)
        pass_by(limited, later)
        held.release()
        future.result()
    assert waiting(limited).id == run


def test_a_recompute_decides_by_the_rows_of_after_its_wait(limited: House) -> None:
    """What a commit changed while a recompute waited for its row counts: an artifact that is kept is not foretold."""
    edit(limited)
    artifact = limited.show().id
    with locked(limited, SCHEDULE) as held, ThreadPoolExecutor() as threads:
        future = threads.submit(limited.keeper.sweeps.recompute)
        held.wait_for(future)
        held.take("UPDATE artifacts SET not_before = now() + interval '30 days' WHERE id = :id", id=artifact)
        held.release()
        future.result()
    ((deletes, due_at),) = limited.sql("SELECT deletes, due_at FROM schedule WHERE artifact_id = :id", id=artifact)
    assert (deletes, due_at - limited.show().created_at > timedelta(days=2)) == (None, True)
