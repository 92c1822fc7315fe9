"""Copies in doubt, found and told: the order of verify, the index they come from, and what users are shown."""

from datetime import timedelta

from support.doubting import doubt, server
from support.house import House
from support.reconciling import CONTENT

from tierkeeper.base import callers
from tierkeeper.values.health import Condition

WEEK = timedelta(days=8)  # old enough for warm, by the default policy


def test_verify_takes_first_what_nobody_vouches_for(house: House) -> None:
    """Then what was never read and what was read longest ago, in halves."""
    for number in range(6):
        house.store(f"n{number}", b"%d" % number)
    order = [
        "vouched = 'read', verified_at = now() - interval '9 d'",
        "vouched = 'read', verified_at = now() - interval '8 d'",
        "vouched = 'written', verified_at = NULL",
        "vouched = 'written', verified_at = NULL",
        "vouched = NULL, verified_at = now() - interval '1 d'",  # by a process of the release before
        "vouched = NULL, verified_at = NULL",
    ]
    for number, change in enumerate(order):
        house.sql(
            f"UPDATE placements SET {change} WHERE blob_id = (SELECT blob_id FROM artifacts WHERE id = :id)",  # noqa: S608
            id=house.show(f"n{number}").id,
        )

    def read() -> set[str]:
        """The artifacts whose copies were read by one call just now."""
        house.sql("UPDATE placements SET made_at = now()")
        assert house.keeper.sweeps.verify(share=1 / 3, caller=callers.BEAT).counts == {"verified": 2}
        return {
            row.name
            for row in house.sql(
                "SELECT n.name FROM placements p JOIN artifacts a ON a.blob_id = p.blob_id"
                " JOIN names n ON n.id = a.name_id WHERE p.verified_at > p.made_at"
            )
        }

    assert read() == {"n4", "n5"}
    assert read() == {"n0", "n2"}
    assert read() == {"n1", "n3"}


def test_copies_in_doubt_that_cannot_be_read_leave_verify_its_share(house: House) -> None:
    """They are asked at most half as often as copies are read, and use nothing of the share."""
    for number in range(4):
        house.store(f"n{number}", b"%d" % number, age=WEEK)
    house.turn()
    doubt(house, "warm")
    for number in range(4):
        house.store(f"m{number}", b"more %d" % number)
    server(house, "warm").away = True
    assert house.keeper.sweeps.verify(share=0.5, caller=callers.BEAT).counts == {"unreadable": 2, "verified": 4}
    server(house, "warm")
    house.keeper.sweeps.verify(caller=callers.BEAT)


def test_what_is_in_doubt_is_said(house: House) -> None:
    """Stats, health, doctor and show tell of copies that nobody vouches for; nothing is bad because of them."""
    house.store(content=CONTENT)
    house.store("b", b"other")

    def told() -> tuple[int, Condition, Condition, list[bool]]:
        (doctor,) = [c for c in house.keeper.recovery.examine() if c.check == "copies that nobody vouches for"]
        hot = next(tier for tier in house.keeper.tiers.stats() if tier.tier == "hot")
        vital = house.keeper.health.check()["unvouched"]
        return hot.unvouched, vital.condition, doctor.condition, [c.in_doubt for c in house.show().placements]

    assert told() == (0, Condition.OK, Condition.OK, [False])
    doubt(house, "hot")
    assert told() == (2, Condition.ATTENTION, Condition.ATTENTION, [True])
    assert house.keeper.sweeps.verify(share=0.1, caller=callers.BEAT).counts == {"verified": 1}
    house.keeper.sweeps.verify(caller=callers.BEAT)
    assert told() == (0, Condition.OK, Condition.OK, [False])
