"""No bad copy ever replaces a good one: what nobody vouches for is read before it counts (R15 to R18)."""

import io
import os
from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import pytest
from support import s3_front, scale, services
from support.callers import TESTER
from support.house import House, OpenHouse

from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.s3.store import S3Store

MIB = 1024 * 1024


@pytest.fixture(params=["mute", pytest.param("real", marks=pytest.mark.s3)])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """An S3 server that tells no SHA-256 of what it copied, as many do of what came in parts; and a real one."""
    if request.param == "real":
        yield services.real_s3()
        return
    with s3_front.in_front_of(request.getfixturevalue("s3_endpoint"), scale.chance("mute"), patience=30) as front:
        front.mute = True
        yield f"endpoint={front.endpoint}"


def replaced_by_a_stranger(house: House, tier: str, size: int) -> None:
    """Put other bytes of equal length where an artifact's copy lies, as a tool that knows nothing of us does."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    (row,) = house.sql("SELECT location FROM placements WHERE tier = :tier AND state = 'present'", tier=tier)
    client: Any = store.place.client
    where = {"Bucket": store.place.bucket, "Key": store.place.key(row.location)}
    upload = client.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, length in enumerate([size // 2] * 2 if size > MIB else [size], start=1):
        answer = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=os.urandom(length))
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


def drop_all(house: House, tier: str) -> None:
    """Delete what a tier lists."""
    store = house.keeper.engine.store(tier)
    store.delete([ObjectKey(each.location, each.version) for each in store.list()])


@pytest.mark.parametrize("size", [5000, 10 * MIB], ids=["whole", "parts"])
@pytest.mark.parametrize("versioned", [False, True], ids=["unversioned", "versioned"])
def test_a_copy_that_was_overwritten_replaces_no_good_one(
    open_house: OpenHouse, server: str, size: int, *, versioned: bool
) -> None:
    """Of two copies one is overwritten with as many other bytes; the policy moves the artifact, and it reads back."""
    more = "&multipart_threshold=5MiB&multipart_chunk=5MiB" + ("&lock=yes" if versioned else "")
    run = uuid4().hex[:12]
    tiers = {tier: {"url": f"s3://{tier}-{run}?{server}{more}"} for tier in ("hot", "warm", "cold")}
    house = open_house(tiers=tiers)
    house.policy(
        "name: moves\nmatch: {tenant: acme}\nwrite: all\n"
        "phases: [{after: 0d, in: [hot, warm]}, {after: 7d, in: [cold]}]\n"
    )
    content = os.urandom(size)
    house.keeper.artifacts.store(house.args(), caller=TESTER, content=io.BytesIO(content))
    assert house.tiers() == {"hot", "warm"}
    replaced_by_a_stranger(house, "hot", size)
    house.days_pass(8)
    counts = house.turn()
    collected = house.collect()
    assert (house.tiers(), house.read() == content) == ({"cold"}, True), (counts, collected)
    if versioned:  # the stranger's own version is not ours to delete
        drop_all(house, "hot")
    house.settle()
