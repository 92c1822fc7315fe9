"""A store that answers a bulk delete or a copy in a form of its own: its keys wait, and no other tier's do."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest
from support import s3_front
from support.around import Around
from support.house import House, OpenHouse
from support.reconciling import QUARANTINE, late, reconcile, short, there

from tierkeeper.stores.base import DeleteResult, ObjectKey, Store

GBK = b'<?xml version="1.0" encoding="GBK"?>'
ERROR = GBK + "<Error><Code>内部错误</Code></Error>".encode("gbk")


@dataclass(slots=True)
class OddXml(s3_front.Front):
    """Answers with one child more, or in an encoding that no reader of ours knows."""

    how: str = ""

    def passed(self, answer: s3_front.Answer) -> s3_front.Answer:
        """Change the answers of bulk deletes and copies."""
        for root in (b"DeleteResult", b"CopyObjectResult"):
            start = answer.body.find(b"<" + root)
            if self.how and start >= 0:
                end = b"</" + root + b">"
                more = answer.body[start:].replace(end, b"<RequestId>4711</RequestId>" + end)
                bodies = {"child": more, "GBK": GBK + answer.body[start:], "an error in GBK": ERROR}
                return replace(answer, body=bodies[self.how])
        return answer


@pytest.fixture
def odd(s3_endpoint: str) -> Iterator[OddXml]:
    """A server that answers so once it is told to."""
    chance = random.Random(0)  # noqa: S311  no secret
    with s3_front.in_front_of(s3_endpoint, chance, patience=5, kind=OddXml) as found:
        yield cast("OddXml", found)


@pytest.fixture
def odd_house(open_house: OpenHouse, odd: OddXml) -> House:
    """A keeper whose warm and cold tiers are on it."""
    tiers = {tier: {"url": f"s3://{tier}-odd?endpoint={odd.endpoint}&client=signed"} for tier in ("warm", "cold")}
    return open_house(tiers=tiers)


@pytest.mark.parametrize("how", ["child", "GBK"])
def test_an_odd_delete_stops_no_other_tier(odd_house: House, odd: OddXml, how: str) -> None:
    """What was deleted is forgotten, with its receipt, in every tier: boto3 reads what the thin client cannot."""
    odd_house.store("in-cold", b"in cold", age=timedelta(days=40))
    odd_house.settle()
    odd_house.store("in-hot", b"in hot")
    for name in ("in-cold", "in-hot"):
        odd_house.purge(name)
    odd_house.turn()
    odd_house.days_pass(9)
    odd_house.turn()
    odd.how = how
    result = odd_house.collect()
    assert result.errors == 0
    assert all("destroyed" in odd_house.events(name) for name in ("in-hot", "in-cold"))


@pytest.mark.parametrize("how", ["GBK", "an error in GBK"])
def test_an_odd_copy_parks_nothing(odd_house: House, odd: OddXml, how: str) -> None:
    """It is the server's answer, and no defect of the tier's code: what is due waits, and moves when it is right."""
    odd_house.store("a", age=timedelta(days=10))
    odd_house.settle()
    odd.how = how
    odd_house.promote("a", "cold")
    for _ in range(8):
        odd_house.turn()
        odd_house.pass_time(timedelta(hours=2))
    assert odd_house.show("a").parked_reason is None
    odd.how = ""
    odd_house.settle()
    assert odd_house.tiers("a") == {"cold"}


def test_a_delete_that_fails_in_a_way_of_its_own_ends_no_reconcile(house: House) -> None:
    """The orphan waits for the next one."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)

    class Broken(Around):
        def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
            raise KeyError(len(keys))

    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    right, stores["warm"] = stores["warm"], Broken(stores["warm"])
    result, found = reconcile(house)
    assert (short(found), result.counts["orphans not deleted"]) == ([("warm", "orphan", "delete")], 1)
    stores["warm"] = right
    reconcile(house)
    assert not there(house, "warm", where)
