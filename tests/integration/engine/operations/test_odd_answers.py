"""A server, or what stands before it, that answers in a way of its own stops no other tier (B13)."""

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest
from support import s3_front
from support.around import Around
from support.house import House
from support.reconciling import reconcile
from support.stored_objects import MIB

from tierkeeper.base import callers
from tierkeeper.engine.operations import health
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import MarkNotRead, StoreError
from tierkeeper.stores.s3 import answers
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper.values.health import Condition


@dataclass(slots=True)
class Odd(s3_front.Front):
    """Changes one header of all answers, or leaves it out, or says something of its own instead of all bodies."""

    header: str = ""
    instead_of_it: str | None = None
    page: bytes | None = None

    def passed(self, answer: s3_front.Answer) -> s3_front.Answer:
        if self.page is not None and answer.status == 200:
            return replace(answer, body=self.page if answer.body else b"", headers=[("content-type", "text/html")])
        if not self.header:
            return answer
        kept = [(name, value) for name, value in answer.headers if name.lower() != self.header]
        if len(kept) < len(answer.headers) and self.instead_of_it is not None:
            kept.append((self.header, self.instead_of_it))
        return replace(answer, headers=kept)


@pytest.fixture
def front(s3_endpoint: str) -> Iterator[Odd]:
    """What stands before the server of cold."""
    with s3_front.in_front_of(s3_endpoint, random.Random(0), patience=5, kind=Odd) as found:  # noqa: S311  no secret
        assert isinstance(found, Odd)
        yield found


@pytest.mark.parametrize(
    ("header", "instead"),
    [("etag", None), ("last-modified", "never"), ("last-modified", None), ("x-amz-checksum-sha256", "!!!")],
)
def test_other_tiers_go_on(open_house: Callable[..., House], front: Odd, header: str, instead: str | None) -> None:
    """What is due in warm is done, in every sweep; what is in cold is there when the answers are right again."""
    house = open_house(tiers={"cold": {"url": f"s3://cold-bucket?endpoint={front.endpoint}"}})
    house.store("there", b"cold already", age=timedelta(days=40))
    house.settle()
    house.store("warm", b"to warm", age=timedelta(days=10))
    house.store("cold", b"to cold", age=timedelta(days=40))
    front.header, front.instead_of_it = header, instead
    house.turn()
    assert house.collect().errors == 0
    assert (house.tiers("warm"), house.tiers("there")) == ({"warm"}, {"cold"})
    result, _ = reconcile(house)
    assert {tier.tier for tier in result.tiers if tier.away is None} >= {"hot", "warm"}
    house.keeper.sweeps.verify(caller=callers.BEAT)
    try:
        house.keeper.init(caller=callers.INIT)
    except StoreError as error:
        assert "cold" in str(error)  # noqa: PT017  what it says, if it is raised
    front.header = ""
    house.pass_time(timedelta(days=2))
    house.settle()
    assert {name: house.read(name) for name in ("there", "warm", "cold")} == {
        "there": b"cold already",
        "warm": b"to warm",
        "cold": b"to cold",
    }
    assert house.tiers("cold") == {"cold"}


_PAGE = "a page of its own"


@pytest.mark.parametrize("client", ["signed", "boto3"])
@pytest.mark.parametrize(
    ("odd", "instead"), [("last-modified", "never"), ("content-length", "many"), ("etag", None), (_PAGE, "<html>Hello")]
)
def test_what_a_proxy_spoils_parks_nothing(
    open_house: Callable[..., House], front: Odd, odd: str, instead: str | None, client: str
) -> None:
    """What is due waits for the tier however often it was tried, and health says that the tier cannot be used."""
    url = f"s3://cold-bucket?endpoint={front.endpoint}&client={client}&multipart_threshold=5MiB&multipart_chunk=5MiB"
    house = open_house(tiers={"cold": {"url": url}}, engine={"inline_limit": "8MiB"})
    contents = {"small": b"to cold", "large": bytes(6 * MIB)}
    for name, content in contents.items():
        house.store(name, content, age=timedelta(days=40))
    if odd == _PAGE:
        front.page = str(instead).encode()
    else:
        front.header, front.instead_of_it = odd, instead
    for _ in range(8):
        house.turn()
        house.pass_time(timedelta(minutes=10))
    rows = house.sql("SELECT parked_reason, attempts FROM schedule")
    assert {(row.parked_reason, row.attempts) for row in rows} == {(None, 0)}
    assert health.health(house.keeper.engine)["tier cold"].condition is Condition.BAD
    front.header, front.page = "", None
    house.settle()
    assert {name: house.read(name) for name in contents} == contents
    assert house.tiers("small") == house.tiers("large") == {"cold"}


def test_a_store_of_somebody_elses_that_fails_in_its_own_way(open_house: Callable[..., House]) -> None:
    """Whatever reading a mark raises is told as the tier's fault."""
    house = open_house()
    stores = cast("dict[str, Store]", house.keeper.engine.stores)

    class Failing(Around):
        def mark(self) -> TierMark | None:
            raise KeyError("ETag")

    cold = stores["cold"]
    stores["cold"] = Failing(cold)
    (refused,) = house.keeper.engine.unconfirmed().values()
    assert isinstance(refused, MarkNotRead), "whether it is ours is not known: that is what is told"
    assert "KeyError: 'ETag'" in str(refused)
    stores["cold"] = cold


def test_a_mark_that_a_proxy_spoils_is_not_known(open_house: Callable[..., House], front: Odd) -> None:
    """It is neither missing nor another catalog's: whoever decides by it is told so (R19)."""
    house = open_house(tiers={"cold": {"url": f"s3://cold-bucket?endpoint={front.endpoint}&client=boto3"}})
    front.header, front.instead_of_it = "last-modified", "never"
    with pytest.raises(MarkNotRead, match=r"s3://cold-bucket/.tierkeeper/tier.json is its own is not known"):
        house.keeper.init(caller=callers.INIT)
    front.header = ""
    house.keeper.init(caller=callers.INIT)


@pytest.mark.parametrize("said", ["!!!", "", "AAAA", "not base64"])
def test_what_is_no_sha256_is_none(said: str) -> None:
    """A checksum that cannot be read says nothing of the bytes."""
    assert answers.whole_sha256({"ChecksumSHA256": said}) is None


_SHA256 = bytes(range(32))


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({"ETag": '"0"'}, _SHA256),
        ({"ETag": 'W/"0"'}, _SHA256),
        ({"ETag": '"0-2"'}, None),
        ({"ETag": '"0"', "ChecksumType": "COMPOSITE"}, None),
        ({}, None),
        ({"ETag": ""}, None),
        ({"ChecksumType": "FULL_OBJECT"}, None),
    ],
)
def test_what_may_be_of_parts_is_none(more: dict[str, str], known: bytes | None) -> None:
    """Where no ETag says that it is one of the whole, it is not taken for one: Ceph's type says so of both."""
    assert answers.whole_sha256({"ChecksumSHA256": base64.b64encode(_SHA256).decode(), **more}) == known
