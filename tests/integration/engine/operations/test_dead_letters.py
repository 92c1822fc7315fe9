"""Dead letters in the catalog: kept once, counted, bounded, ended, and decided about by an operator."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House

from tierkeeper.base import callers
from tierkeeper.base.errors import ParkedNotFound
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import dead_letters
from tierkeeper.catalog.dead_letters import DeadLetterRow
from tierkeeper.values.health import Vital
from tierkeeper.values.parking import DeadLetter, Sent, StuckFilter, StuckKind, StuckState
from tierkeeper_client.contract import DEAD_LETTER_BYTES

MALFORMED = StuckFilter(kind=StuckKind.MALFORMED)


def letter(raw: bytes = b"\xff\0 no message") -> DeadLetter:
    """A refused message."""
    return DeadLetter(raw, len(raw), sha256(raw).digest(), "its headers are a list", "redis", "verbs", "unknown")


def vital(house: House, name: str) -> Vital:
    """One vital of the installation."""
    [found] = [each for each in house.keeper.health.check(tiers=False).vitals if each.name == name]
    return found


def keep(house: House, raw: bytes, *, most: int) -> bool:
    """Keep a dead letter where so many are kept at most."""
    digest = sha256(raw).digest()
    row = DeadLetterRow(new_id(), digest.hex()[:24], digest, "unknown", "bad", "redis", "verbs", raw, len(raw))
    return house.keeper.engine.catalog.run(callers.WORKER, dead_letters.keep, row, tally=new_id(), most=most)


@pytest.mark.row("F13", "dead letters")
def test_a_dead_letter_is_kept_once_and_counted(house: House) -> None:
    """The same bytes again are counted; at most 64 KiB are kept of them, and shown on demand alone."""
    for _ in range(3):
        assert house.keeper.deliveries.refuse(letter())
    assert house.keeper.deliveries.refuse(letter(b"x" * (DEAD_LETTER_BYTES + 1)))
    first, second = house.keeper.parked.select(StuckFilter())
    assert (first.kind, first.state, first.attempts) == (StuckKind.MALFORMED, StuckState.PARKED, 3)
    assert (first.reason, first.broker, first.queue) == ("its headers are a list", "redis", "verbs")
    assert first.first_at is not None
    assert first.first_at < first.since
    assert house.keeper.parked.raw(first.id) == letter().raw
    assert len(house.keeper.parked.raw(second.id)) == DEAD_LETTER_BYTES
    assert (first.size, second.size) == (len(letter().raw), DEAD_LETTER_BYTES + 1)
    assert list(house.keeper.parked.select(StuckFilter(kind=StuckKind.DELIVERY))) == []
    assert vital(house, "parked deliveries").value == 0


def test_the_size_of_what_the_release_before_kept(house: House) -> None:
    """What it kept is all of the message, unless it is as much as may be kept: unknown until it comes again."""
    short, long = letter(), letter(b"x" * (DEAD_LETTER_BYTES + 1))
    house.keeper.deliveries.refuse(short)
    house.keeper.deliveries.refuse(long)
    house.sql("UPDATE deliveries SET headers = NULL")
    assert [item.size for item in house.keeper.parked.select(MALFORMED)] == [short.size, None]
    house.keeper.deliveries.refuse(long)
    assert [item.size for item in house.keeper.parked.select(MALFORMED)] == [short.size, long.size]


def test_a_dead_letter_is_not_sent_again(house: House) -> None:
    """A retry is refused with the reason and changes nothing; the table itself refuses what would send it."""
    house.keeper.deliveries.refuse(letter())
    [result] = house.keeper.parked.retry(MALFORMED, caller=TESTER)
    assert (result.outcome, result.detail) == ("refused", "it cannot be sent again: its headers are a list")
    assert [item.state for item in house.keeper.parked.select(MALFORMED)] == [StuckState.PARKED]
    assert list(house.keeper.deliveries.due()) == []
    with pytest.raises(sa.exc.IntegrityError, match="malformed_is_parked"):
        house.sql("UPDATE deliveries SET due_at = clock_timestamp(), parked_reason = NULL")


def test_a_skipped_dead_letter_is_out_of_the_way(house: House) -> None:
    """Skipping takes it out of the list and of health; it can still be shown."""
    house.keeper.deliveries.refuse(letter())
    assert vital(house, "dead letters").value == 1
    [result] = house.keeper.parked.skip(MALFORMED, caller=TESTER)
    assert result.outcome == "skipped"
    assert list(house.keeper.parked.select(MALFORMED)) == []
    assert vital(house, "dead letters").value == 0
    assert house.keeper.parked.raw(result.item.id) == letter().raw


def test_more_dead_letters_than_are_kept_are_counted(house: House) -> None:
    """Beyond the bound none is kept, a known one is still counted, and health calls it bad until an operator skips."""
    assert [keep(house, bytes([n]), most=3) for n in range(5)] == [True, True, True, False, False]
    assert keep(house, bytes([0]), most=3)
    items = list(house.keeper.parked.select(MALFORMED))
    assert sorted(item.attempts for item in items) == [1, 1, 2, 2]
    [tally] = [item for item in items if item.key == "not-kept"]
    assert "beyond" in tally.reason
    found = vital(house, "dead letters")
    assert (found.condition.value, found.value) == ("bad", 3)
    assert "2 more" in found.detail
    with pytest.raises(ParkedNotFound):
        house.keeper.parked.raw(tally.id)
    house.keeper.parked.skip(MALFORMED, caller=TESTER)
    assert vital(house, "dead letters").condition.value == "ok"
    assert not keep(house, b"new", most=3)
    assert vital(house, "dead letters").condition.value == "bad"


def test_a_tally_that_counted_nothing_is_not_listed(house: House) -> None:
    """While every dead letter is kept, no list and no name tells of messages that are gone."""
    assert keep(house, b"only", most=1)
    every = StuckFilter(state=None)
    assert [item.attempts for item in house.keeper.parked.select(every)] == [1]
    with pytest.raises(ParkedNotFound):
        house.keeper.parked.skip(StuckFilter(item="not-kept", state=None), caller=TESTER)
    assert not keep(house, b"another", most=1)
    assert len(list(house.keeper.parked.select(every))) == 2


def test_what_is_listed_again_was_not_skipped(house: House) -> None:
    """A known letter, the tally and a retried message lose the time of their skip with the skip itself."""
    keeper = house.keeper
    for n in range(3):
        keep(house, bytes([n]), most=2)
    keeper.deliveries.park(Sent("tierkeeper.store", "a key", {}), reason="given up")
    keeper.parked.skip(StuckFilter(), caller=TESTER)
    skipped = "SELECT count(*) FROM deliveries WHERE skipped_at IS NOT NULL"
    assert house.sql(skipped)[0][0] == 4
    for n in (0, 1, 3):
        keep(house, bytes([n]), most=2)
    keeper.parked.retry(StuckFilter(item="a key", state=None), caller=TESTER)
    assert house.sql(skipped)[0][0] == 0


def test_dead_letters_end(house: House) -> None:
    """Maintenance deletes what did not come again for thirty days, and nothing else of the table."""

    def left() -> list[Any]:
        return [row.key for row in house.sql("SELECT key FROM deliveries WHERE raw IS NOT NULL")]

    house.keeper.deliveries.refuse(letter(b"old"))
    house.keeper.deliveries.refuse(letter(b"young"))
    house.sql("UPDATE deliveries SET last_at = last_at - interval '29 days' WHERE raw = 'young'")
    house.sql("UPDATE deliveries SET last_at = last_at - interval '31 days' WHERE raw = 'old'")
    result = house.keeper.sweeps.maintain(caller=TESTER)
    assert result.counts["dead letters ended"] == 1
    assert left() == [letter(b"young").sha256.hex()[:24]]
    assert house.keeper.deliveries.forget(kept=timedelta(0), caller=TESTER) == 0
    assert len(left()) == 1
