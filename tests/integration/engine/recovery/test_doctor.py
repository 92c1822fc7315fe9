"""What doctor asks, each question apart from the others."""

from support.house import House


def test_a_question_that_fails_stops_no_other(house: House) -> None:
    """An error of the driver, as of a missing table, is the answer to one question, in one line."""
    before = [check.check for check in house.keeper.recovery.examine()]
    house.sql("ALTER TABLE events_default RENAME TO events_away")
    try:
        found = {check.check: check.found for check in house.keeper.recovery.examine()}
    finally:
        house.sql("ALTER TABLE events_away RENAME TO events_default")
    assert list(found) == before
    (told,) = [words for words in found.values() if words.startswith("it could not be asked")]
    assert 'relation "events_default" does not exist' in told
    assert "\n" not in told
