"""Scenario 7, over HTTP: an S3 server that misbehaves while artifacts, large ones too, go through their tiers."""

import random
from collections.abc import Callable

from support import s3_front
from support import scale as scales
from support.house import LEASES_END, House, houses
from support.proxy import FaultProxy
from support.proxy import in_front_of as proxied
from support.s3_front import Trick
from support.scale import Scale

from tierkeeper.base import callers
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.s3 import probe
from tierkeeper.stores.s3.store import S3Store
from tierkeeper_client.errors import TierkeeperError

PATIENCE = 1.0  # seconds until a call over these stores is given up
MIB = 1024 * 1024
LARGE = 6 * MIB  # in two parts
POLICY = """
name: hasty
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 2d, in: [warm]}, {after: 4d, in: [cold]}]
undo: 1d
"""


def test_tricks_of_a_server(
    settings_factory: Callable[..., Settings], s3_endpoint: str, scale: Scale, chance: random.Random
) -> None:
    """Whatever the server does, all artifacts get to where they should be, byte for byte, and nothing else stays."""
    with (
        s3_front.in_front_of(s3_endpoint, chance, patience=PATIENCE) as front,
        houses(settings_factory) as open_house,
    ):
        house = open_house(
            tiers=s3_tiers(front.endpoint), engine={"io_threads": 4, "spool_limit": "1MiB", "inline_limit": "8MiB"}
        )
        house.policy(POLICY)
        contents = {f"{i}.bin": chance.randbytes(100 + i) for i in range(scale(short=8, long=60))}
        contents |= {f"large-{i}.bin": chance.randbytes(LARGE) for i in range(scale(short=1, long=4))}
        for name, content in contents.items():
            house.store(name, content)
        doomed = [name for name in contents if chance.random() < 0.3]
        front.share = 0.3
        for _ in range(scale(short=2, long=4)):
            for _ in range(2):
                house.days_pass(1)
                house.turn()
                house.collect()
                read_some(house, chance, contents)
                front.quiet()  # later than the lease's end and as long again no write arrives
                house.pass_time(LEASES_END)
        for name in doomed:
            house.purge(name)
        house.days_pass(2)
        house.turn()
        house.collect()
        front.share = 0
        front.quiet()
        house.pass_time(LEASES_END)
        house.keeper.sweeps.reconcile(caller=callers.BEAT)  # what came wrong twice in a row was called bad
        house.days_pass(2)
        house.settle()
        house.pass_time(LEASES_END)
        house.settle()
        for name, content in contents.items():
            if name in doomed:
                assert house.show(name).state == "purged"
            else:
                assert house.tiers(name) == {"cold"}
                assert house.read(name) == content
        # one whose abort failed too may stay beside its finished copy, empty, and goes with it; a probe's goes with
        # the next probe
        kept = {row.location for row in house.sql("SELECT location FROM placements")}
        assert all(key.endswith(tuple(kept)) or probe.FOLDER in key for key in uploads(house))
    missed = set(Trick) - set(front.met)
    assert len(missed) <= (2 if scales.LONG else len(Trick) - 4), missed


def test_connections_to_a_server(
    settings_factory: Callable[..., Settings], s3_endpoint: str, scale: Scale, chance: random.Random
) -> None:
    """A server that is silent, resets, or is cut off in the middle of a body is tried again until all is done."""
    host, _, port = s3_endpoint.removeprefix("http://").partition(":")
    with proxied((host, int(port))) as proxy, houses(settings_factory) as open_house:
        house = open_house(
            tiers=s3_tiers(f"http://127.0.0.1:{proxy.port}"),
            engine={"io_threads": 4, "spool_limit": "1MiB", "inline_limit": "8MiB"},
        )
        house.policy(POLICY)
        contents = {f"{i}.bin": chance.randbytes(1000) for i in range(4)} | {"large.bin": chance.randbytes(LARGE)}
        for name, content in contents.items():
            house.store(name, content)
        faults = list(CONNECTIONS)
        for fault in faults if scales.LONG else chance.sample(faults, 2):
            house.days_pass(1)
            CONNECTIONS[fault](proxy)
            house.turn()
            house.collect()
            read_some(house, chance, contents)
            proxy.heal()
            house.pass_time(LEASES_END)
        house.days_pass(4)
        house.settle()
        house.pass_time(LEASES_END)
        house.settle()
        for name, content in contents.items():
            assert house.tiers(name) == {"cold"}
            assert house.read(name) == content
        assert not uploads(house)


def test_an_upload_begun_twice(
    settings_factory: Callable[..., Settings], s3_endpoint: str, chance: random.Random
) -> None:
    """Where the answer to the begin of an upload is lost, the one that nobody knows of does not stay."""
    host, _, port = s3_endpoint.removeprefix("http://").partition(":")
    with proxied((host, int(port))) as proxy, houses(settings_factory) as open_house:
        house = open_house(tiers=s3_tiers(f"http://127.0.0.1:{proxy.port}"), engine={"inline_limit": "8MiB"})
        house.policy(POLICY)
        house.store("large", chance.randbytes(LARGE))
        house.days_pass(2)
        trigger = proxy.spoil(b"?uploads ")
        house.turn()
        assert trigger.hit == 1
        assert house.tiers("large") == {"warm"}
        assert not uploads(house)
        house.settle()


def _cut(proxy: FaultProxy) -> None:
    proxy.to_server.cut_after = 2 * MIB


def _cut_answers(proxy: FaultProxy) -> None:
    proxy.to_client.cut_after = 1000


CONNECTIONS: dict[str, Callable[[FaultProxy], None]] = {
    "silent": FaultProxy.silence,
    "down": FaultProxy.refuse,
    "cut uploads": _cut,
    "cut answers": _cut_answers,
    "lost replies to puts": lambda proxy: _spoil(proxy, b"PUT "),
    "lost replies to completions": lambda proxy: _spoil(proxy, b"POST "),
}


def _spoil(proxy: FaultProxy, words: bytes) -> None:
    proxy.spoil(words, times=3)


def s3_tiers(endpoint: str) -> dict[str, dict[str, object]]:
    """Hot is a folder; warm and cold are buckets of one server, with parts and times as small as can be."""
    options = {
        "endpoint": endpoint,
        "attempts": "2",
        "read_timeout": f"{PATIENCE:g}s",
        "connect_timeout": f"{PATIENCE:g}s",
        "multipart_threshold": "5MiB",
        "multipart_chunk": "5MiB",
        "copy_threshold": "5MiB",
    }
    return {
        "hot": {"options": {"fsync": "no"}},
        "warm": {"url": "s3://warm-bucket/some/prefix", "options": options},
        "cold": {"url": "s3://cold-bucket", "options": options},
    }


def read_some(house: House, chance: random.Random, contents: dict[str, bytes]) -> None:
    """What is read is right, or it is an error."""
    for name in chance.sample(sorted(contents), min(len(contents), 12)):
        try:
            assert house.read(name) == contents[name]
        except TierkeeperError:
            continue


def uploads(house: House) -> list[str]:
    """Return the keys of all uploads that were begun and are neither complete nor aborted."""
    found = []
    for tier in ("warm", "cold"):
        store = house.keeper.engine.store(tier)
        assert isinstance(store, S3Store)
        answer = store.place.client.list_multipart_uploads(Bucket=store.place.bucket)
        found += [upload["Key"] for upload in answer.get("Uploads", [])]
    return found
