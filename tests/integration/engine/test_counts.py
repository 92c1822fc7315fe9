"""The numbers of copies in a condition: health, doctor and stats count the same ones."""

import pytest
from support.house import House, restored

DOUBTFUL = {
    "damaged": "damaged_at = now()",
    "not found": "missed_at = now()",
    "unvouched": "vouched = NULL, pin = NULL",
}
CHECKS = {
    "damaged": "damaged copies",
    "not found": "copies that were not found",
    "unvouched": "copies that nobody vouches for",
}


def counts(house: House, kind: str) -> list[int]:
    """How many copies of a kind health, doctor and (where it has the number) stats tell of."""
    health = house.keeper.health.check(tiers=False)[kind].value
    (checkup,) = [each for each in house.keeper.recovery.examine() if each.check == CHECKS[kind]]
    doctor = 0 if checkup.found == "none" else int(checkup.found.split(",", maxsplit=1)[0])
    tiers = house.keeper.tiers.stats()
    stats = {"not found": sum(t.missed for t in tiers), "unvouched": sum(t.unvouched for t in tiers)}
    return [int(health or 0), doctor, *([stats[kind]] if kind in stats else [])]


@pytest.mark.parametrize(
    ("kind", "doomed"), [("damaged", 2), ("not found", 2), ("unvouched", 1)], ids=["damaged", "suspects", "unvouched"]
)
def test_every_report_counts_the_same_copies(house: House, kind: str, doomed: int) -> None:
    """A doomed copy is counted where its bytes matter still; a damaged one is neither a suspect nor unvouched."""
    restored(house, b"two copies", to_tier="warm")
    house.sql(f"UPDATE placements SET {DOUBTFUL[kind]}")  # noqa: S608  a constant
    assert set(counts(house, kind)) == {2}
    house.sql("UPDATE placements SET state = 'doomed', delete_after = now() + interval '1 day' WHERE tier = 'cold'")
    assert set(counts(house, kind)) == {doomed}
    house.sql("UPDATE placements SET damaged_at = now() WHERE tier = 'warm'")
    assert set(counts(house, kind)) == {2 if kind == "damaged" else doomed - 1}
    house.reset()
