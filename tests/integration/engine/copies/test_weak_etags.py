"""Servers, or proxies before them, whose headers have weak ETags and whose bodies have strong ones (R16, R21)."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest
from support import s3_front
from support.doubting import vouched
from support.house import House, OpenHouse
from support.missing import states
from support.reconciling import CONTENT, overwrite
from support.stored_objects import MIB

from tierkeeper.base import callers
from tierkeeper.engine.collect import survivors
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.copies import suspects
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.s3 import probe
from tierkeeper.stores.s3.store import S3Store

_UNSEEN = Verdict.UNSEEN.value


@dataclass(slots=True)
class Weakening(s3_front.Front):
    """Weakens the ETag of every header, as proxies do that compress, and the one of no answer's body."""

    weakens: bool = True

    def instead(self, request: s3_front.Request) -> None:
        """Count the requests by their methods."""
        self.met[request.command] += 1

    def passed(self, answer: s3_front.Answer) -> s3_front.Answer:
        if not self.weakens:
            return answer
        kept = [(name, f"W/{value}" if name.lower() == "etag" else value) for name, value in answer.headers]
        return replace(answer, headers=kept)


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[Weakening]:
    """What stands before the server."""
    with s3_front.in_front_of(s3_endpoint, random.Random(0), patience=5, kind=Weakening) as found:  # noqa: S311  no secret
        yield cast("Weakening", found)


@pytest.fixture
def behind(open_house: OpenHouse, proxy: Weakening) -> House:
    """Warm and cold in buckets behind it; an artifact in warm."""
    house = open_house(
        tiers={tier: {"url": f"s3://{tier}-bucket?endpoint={proxy.endpoint}"} for tier in ("warm", "cold")}
    )
    house.store(content=CONTENT, age=timedelta(days=10))
    return house


@pytest.fixture
def named(behind: House, proxy: Weakening) -> House:
    """Its copy in cold was named by an ETag that no look tells any more; the one in warm is ripe."""
    proxy.weakens = False
    behind.settle()
    behind.promote("a", "cold")
    behind.turn()
    assert states(behind) == {"warm": "doomed", "cold": "present"}
    _, pin, _ = vouched(behind, "cold")
    assert pin is not None
    proxy.weakens = True
    return behind


def test_a_copy_is_not_named_by_what_no_look_tells(behind: House) -> None:
    """The answer of a copy has an ETag in its body: it counts once a HEAD told one. What stays is read."""
    behind.settle()
    behind.promote("a", "cold")
    behind.turn()
    assert (states(behind), vouched(behind, "cold")[:2]) == ({"warm": "doomed", "cold": "present"}, ("server", None))
    assert behind.collect().counts == {"collected": 1, survivors.READS: 1}
    assert (behind.tiers(), behind.read()) == ({"cold"}, CONTENT)


def test_a_copy_is_named_once_a_look_told_etags(
    behind: House, proxy: Weakening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One HEAD is enough for some minutes: further copies are one request. It is asked again after that."""
    proxy.weakens = False
    behind.settle()
    warm, cold = (cast("S3Store", behind.keeper.engine.store(tier)) for tier in ("warm", "cold"))
    (row,) = behind.sql("SELECT location, pin FROM placements WHERE tier = 'warm'")
    key = ObjectKey(row.location, pin=row.pin)
    info = warm.describe(key)
    assert info is not None

    def copied(name: str) -> tuple[str | None, int]:
        proxy.met.clear()
        return cold.copy(warm, key, name, info).pin, proxy.met["HEAD"]

    cold.copy(warm, key, "first", info)
    assert copied("second") == (row.pin, 0)
    monkeypatch.setattr(probe, "LIFE", -1)
    cold.place.told_etags_until = 0.0
    assert [copied("third"), copied("fourth")] == [(row.pin, 1)] * 2
    proxy.weakens = True
    assert copied("fifth") == (None, 1)
    cold.delete([ObjectKey(name) for name in ("first", "second", "third", "fourth", "fifth")])


def test_a_name_that_cannot_be_checked_is_given_up(named: House) -> None:
    """What stays is read whole, and has no name from then on; nothing is kept for ever."""
    assert named.collect().counts == {_UNSEEN: 1, survivors.LOOKS: 1}
    assert vouched(named, "cold") == ("read", None, True)
    assert named.events()[-1] == "repinned"
    assert named.collect().counts == {"collected": 1, survivors.READS: 1}
    assert (named.tiers(), named.read()) == ({"cold"}, CONTENT)


def test_a_dry_run_gives_up_no_name(named: House) -> None:
    """It reads nothing and notes nothing."""
    before = vouched(named, "cold")
    assert named.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT).counts == {_UNSEEN: 1, survivors.LOOKS: 1}
    assert vouched(named, "cold") == before
    named.collect()
    named.settle()


def test_other_bytes_behind_a_name_that_cannot_be_checked(named: House) -> None:
    """They are damage, whatever their length; the other copy stays, and the content is made anew from it."""
    overwrite(named, "cold", CONTENT.upper())
    assert named.collect().counts["damaged"] == 1
    assert (states(named)["warm"], named.read()) == ("doomed", CONTENT)
    named.pass_time(timedelta(hours=2))
    named.settle()
    assert (named.tiers(), named.read()) == ({"cold"}, CONTENT)


def test_a_suspect_whose_name_cannot_be_checked_is_found(named: House) -> None:
    """It is read where it should be, and counts again."""
    named.sql("UPDATE placements SET missed_at = now() - interval '2 days' WHERE tier = 'cold'")
    assert named.keeper.sweeps.verify(share=0.1, caller=callers.BEAT).counts[suspects.FOUND_AGAIN] == 1
    named.settle()
    assert (named.tiers(), named.read()) == ({"cold"}, CONTENT)


@pytest.mark.parametrize("always", [True, False])
def test_what_is_in_parts_is_stored_and_moves(open_house: OpenHouse, proxy: Weakening, *, always: bool) -> None:
    """A proxy weakens the ETags of parts too, from the beginning or once they were named: the server takes its own."""
    parts = "multipart_threshold=5MiB&multipart_chunk=5MiB&copy_threshold=5MiB"
    tiers = {t: {"url": f"s3://{t}-parts?endpoint={proxy.endpoint}&{parts}"} for t in ("warm", "cold")}
    house = open_house(tiers=tiers, engine={"inline_limit": "8MiB"})
    content = bytes(6 * MIB)
    proxy.weakens = always
    house.store(content=content, age=timedelta(days=10))
    house.settle()
    (copy,) = house.sql("SELECT tier, pin FROM placements")
    assert (copy.tier, copy.pin is None) == ("warm", always)
    proxy.weakens = True
    house.promote("a", "cold")
    for _ in range(3):
        house.turn()
        house.collect()
        house.pass_time(timedelta(minutes=20))
    house.settle()
    assert (house.tiers(), house.read()) == ({"cold"}, content)
