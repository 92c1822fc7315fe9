"""Buckets that another tool moved: all bytes are right, and all ETags are others than the catalog noted (R16, R18)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from support import plain_front, services
from support.callers import TESTER
from support.doubting import doubt, vouched
from support.house import House, OpenHouse
from support.plain_front import PlainFront
from support.reconciling import CONTENT, overwrite
from support.s3_answers import KEYS

from tierkeeper.base import callers
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import presence, read_budget
from tierkeeper.stores.s3.store import S3Store

_MOVES = (
    "name: moves\nmatch: {tenant: acme}\nwrite: all\nphases: [{after: 0d, in: [warm, cold]}, {after: 7d, in: [cold]}]\n"
)
#: an ETag that no object of these tests has
ANOTHER_PIN = '"another"'


@pytest.fixture
def front(moto_endpoint: str) -> Iterator[PlainFront]:
    """A server that tells no checksums."""
    with plain_front.before(moto_endpoint) as made:
        yield made


@pytest.fixture(params=["plain", pytest.param("real", marks=pytest.mark.s3)])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that tells no SHA-256 and heeds the condition of a copy; and a real one."""
    if request.param == "real":
        yield services.real_s3()
    else:
        made: PlainFront = request.getfixturevalue("front")
        yield f"endpoint={made.endpoint}&{KEYS}"


@pytest.fixture
def buckets(open_house: OpenHouse, server: str) -> House:
    """A keeper that writes to warm and cold at once, which are buckets, and keeps cold alone after a week."""
    run = uuid4().hex[:12]
    house = open_house(tiers={tier: {"url": f"s3://{tier}-{run}?{server}"} for tier in ("warm", "cold")})
    house.policy(_MOVES)
    house.store(content=CONTENT)
    return house


def moved(house: House, tier: str, content: bytes = CONTENT) -> str:
    """Write a tier's copy anew in parts, as tools do that copy buckets; return the ETag that it has then."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    (row,) = house.sql("SELECT location FROM placements WHERE tier = :tier AND state = 'present'", tier=tier)
    client: Any = store.place.client
    where = {"Bucket": store.place.bucket, "Key": store.place.key(row.location)}
    upload = client.create_multipart_upload(**where)["UploadId"]
    answer = client.upload_part(**where, UploadId=upload, PartNumber=1, Body=content)
    parts = [{"PartNumber": 1, "ETag": answer["ETag"]}]
    done = client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    return f'"{done["ETag"].strip(chr(34))}"'


def test_a_server_whose_etags_are_weak(open_house: OpenHouse, front: PlainFront) -> None:
    """Its answers name no bytes: what is moved there is read back, and then counts."""
    front.weakens = True
    tiers = {tier: {"url": f"s3://{tier}-weak?endpoint={front.endpoint}&{KEYS}"} for tier in ("hot", "warm")}
    house = open_house(tiers=tiers)
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    assert (house.tiers(), vouched(house, "warm"), house.read()) == ({"warm"}, ("read", None, True), CONTENT)


def test_verify_names_right_bytes_anew(buckets: House) -> None:
    """They are read, and stay what they are; a copy by the server is made from them by their new name."""
    etags = {tier: moved(buckets, tier) for tier in ("warm", "cold")}
    assert buckets.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2}
    assert "damaged" not in buckets.events()
    assert buckets.events().count("repinned") == 2
    for tier, etag in etags.items():
        assert vouched(buckets, tier) == ("read", etag, True)
    assert buckets.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2}
    assert buckets.events().count("repinned") == 2


def test_a_reader_names_right_bytes_anew(buckets: House) -> None:
    """The first read finds them, though no copy has the pin that the catalog noted."""
    etag = moved(buckets, "warm")
    moved(buckets, "cold")
    assert buckets.read() == CONTENT
    assert buckets.read() == CONTENT
    assert ("damaged" in buckets.events(), vouched(buckets, "warm")) == (False, ("read", etag, True))


def test_wrong_bytes_are_damage(buckets: House) -> None:
    """What was replaced by other bytes of equal length is reported as before."""
    moved(buckets, "warm", CONTENT.upper())
    assert buckets.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1, "damaged": 1}
    assert "repinned" not in buckets.events()
    buckets.settle()


def test_nothing_goes_on_the_word_of_a_name_that_is_refused(buckets: House) -> None:
    """A copy that stays, and is named otherwise, was not seen by that collect; the next one sees it by its new name."""
    etag = moved(buckets, "cold")
    buckets.days_pass(8)
    buckets.turn()
    first = buckets.collect().counts
    assert (first.get("collected", 0), first["kept: what stays was not seen"]) == (0, 1)
    assert ("damaged" in buckets.events(), vouched(buckets, "cold")) == (False, ("read", etag, True))
    assert buckets.collect().counts["collected"] == 1
    assert (buckets.tiers(), buckets.read()) == ({"cold"}, CONTENT)


def test_a_dry_run_names_nothing_anew(buckets: House) -> None:
    """It only tells; what stays was not seen."""
    moved(buckets, "cold")
    before = vouched(buckets, "cold")
    buckets.days_pass(8)
    buckets.turn()
    buckets.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT)
    buckets.keeper.sweeps.reconcile(caller=TESTER, dry_run=True)
    assert (vouched(buckets, "cold"), "repinned" in buckets.events()) == (before, False)
    buckets.collect()
    assert buckets.collect().counts["collected"] == 1


def test_what_was_read_to_vouch_for_it_is_named_by_that_read(buckets: House) -> None:
    """So the server copies from it by that name, and the copy need not be read back."""
    buckets.policy(
        "name: moves\nmatch: {tenant: acme}\nwrite: all\n"
        "phases: [{after: 0d, in: [warm, cold]}, {after: 7d, in: [warm]}, {after: 14d, in: [cold]}]\n"
    )
    buckets.days_pass(8)
    buckets.turn()
    assert buckets.collect().counts["collected"] == 1
    etag = moved(buckets, "warm")
    doubt(buckets, "warm")
    assert buckets.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1}
    assert vouched(buckets, "warm") == ("read", etag, True)
    buckets.days_pass(8)
    buckets.turn()
    assert (vouched(buckets, "cold")[0], vouched(buckets, "cold")[2]) == ("pinned", False)
    buckets.pass_time(timedelta(hours=2))
    buckets.settle()


def test_what_heals_is_named_by_that_read(buckets: House) -> None:
    """The bytes that came back have a name of their own."""
    overwrite(buckets, "warm", CONTENT.upper())
    assert buckets.keeper.sweeps.verify(caller=callers.BEAT).counts["damaged"] == 1
    buckets.sql("UPDATE schedule SET due_at = now() + interval '1 day'")
    etag = moved(buckets, "warm")
    assert buckets.keeper.sweeps.reconcile(caller=TESTER).counts["healed"] == 1
    assert vouched(buckets, "warm") == ("read", etag, True)
    buckets.settle()


def the_named_one_last(_engine: Engine, call: Callable[[Any], object], items: Iterable[Any]) -> list[object]:
    """As ``Engine.in_parallel``, but in one order and no threads: copies with another pin come before the rest."""
    items = list(items)
    order = sorted(range(len(items)), key=lambda at: getattr(items[at], "pin", None) != ANOTHER_PIN)
    results = {at: call(items[at]) for at in order}
    return [results[at] for at in range(len(items))]


def test_what_a_look_has_no_time_to_read_is_not_known(buckets: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that was moved is read over many looks. What was left is kept, and another copy of its tier is seen."""
    for number in range(24):
        buckets.store(f"more {number}", b"more %d" % number)
    buckets.settle()
    before = buckets.sql("SELECT id, pin FROM placements WHERE tier = 'cold' ORDER BY id")
    buckets.sql("UPDATE placements SET pin = :pin WHERE tier = 'cold'", pin=ANOTHER_PIN)
    buckets.store("named", b"named as ever")
    buckets.days_pass(8)
    buckets.turn()
    monkeypatch.setattr(read_budget, "_BEGINS", -1.0)
    monkeypatch.setattr(presence, "_GIVEN_UP", 1)
    monkeypatch.setattr(Engine, "in_parallel", the_named_one_last)
    counts = buckets.collect().counts
    assert (counts["collected"], counts["kept: what stays was not seen"]) == (1, 25)
    assert ("damaged" in buckets.events(), "repinned" in buckets.events()) == (False, False)
    monkeypatch.undo()
    buckets.collect()
    assert buckets.collect().counts["collected"] == 25
    assert {row.id: row.pin for row in before}.items() <= {
        row.id: row.pin for row in buckets.sql("SELECT id, pin FROM placements WHERE tier = 'cold'")
    }.items()


def test_a_read_that_takes_too_long_is_given_up(buckets: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a task that looks is not ended at the same copy each time; what was not read to its end is not known."""
    moved(buckets, "cold")
    buckets.days_pass(8)
    buckets.turn()
    monkeypatch.setattr(read_budget, "_SHARE", -1.0)
    assert buckets.collect().counts == {"kept: what stays was not seen": 1}
    assert ("damaged" in buckets.events(), "repinned" in buckets.events()) == (False, False)
    monkeypatch.undo()
    buckets.collect()
    assert buckets.collect().counts["collected"] == 1
