"""Answers of an S3 server that drip, that are without end, and content that comes too slowly: no call hangs."""

import io
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest
from support import endless, s3_answers
from support.endless import BODY, CONTINUED, HEAD, LARGE, LARGE_ERROR, Endless
from support.stored_objects import MIB, MakeStore, info_of, read

from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import OutcomeUnknown, StoreTransient
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.s3.store import S3Store
from tierkeeper_client import receiving_s3
from tierkeeper_client.errors import StagingUnavailable
from tierkeeper_client.staging import Upload
from tierkeeper_client.staging_s3 import S3Staging

SOON = 4.0  # seconds: the thin client's time-out, boto3's and a slow machine's; an endless answer goes on for longer


def _put(store: S3Store, size: int = 7) -> object:
    content = bytes(size)
    return store.put("x", io.BytesIO(content), info_of(content))


def _delete(store: S3Store) -> object:
    place = store.place
    with place.translating("x"):
        return place.hot.delete_objects(Bucket=place.bucket, Delete={"Objects": [{"Key": "x"}]})


_CALLS: dict[str, Callable[[S3Store], object]] = {
    "put": _put,
    "delete": _delete,
    "get": lambda store: read(store, ObjectKey("x")),
    "mark": lambda store: store.mark(),
    "versioned": lambda store: store.place.versioned,
    "lockable": lambda store: store.can_lock,
    "head": lambda store: store.head(ObjectKey("x")),
    "check": lambda store: store.check(),
}
_NAMED = {"put": "x", "delete": "x", "get": "x", "head": "x", "mark": MARK}  # what the error names
_DRIPPING = [
    (HEAD, ["put", "delete", "get", "mark", "versioned", "head", "check"]),
    (BODY, ["put", "delete", "get", "mark", "lockable"]),
]
_LARGE = [
    (LARGE, ["put", "delete", "versioned"]),
    (LARGE_ERROR, ["put", "delete", "get", "mark", "lockable"]),
    (CONTINUED, ["put", "get", "head", "check"]),
]


@contextmanager
def soon() -> Iterator[None]:
    """Hold that what is within took no longer than it may."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


@contextmanager
def storing(
    make_store: MakeStore, answer: Endless | Sequence[bytes], client: str = "signed", patience: str = "300ms"
) -> Iterator[S3Store]:
    """A store on such a server."""
    with endless.serving(answer) as query:
        yield cast(
            "S3Store", make_store(f"s3://bucket?{query}&client={client}&read_timeout={patience}", prepared=False)
        )


@pytest.mark.parametrize("client", ["signed", "boto3"])
@pytest.mark.parametrize(("answer", "name"), [(answer, name) for answer, calls in _DRIPPING for name in calls])
def test_an_answer_that_drips(make_store: MakeStore, client: str, answer: Endless, name: str) -> None:
    """The waits for all of an answer have one time-out; the error says what of which answer had come by then."""
    told = rf"{_NAMED.get(name, 'bucket')}: .*: \d+ bytes in \d\.\d s"
    with storing(make_store, answer, client) as store, soon(), pytest.raises(StoreTransient, match=told) as caught:
        _CALLS[name](store)
    assert isinstance(caught.value, OutcomeUnknown) is (name == "put")


@pytest.mark.parametrize("client", ["signed", "boto3"])
@pytest.mark.parametrize(("answer", "name"), [(answer, name) for answer, calls in _LARGE for name in calls])
def test_an_answer_without_end(make_store: MakeStore, client: str, answer: Endless, name: str) -> None:
    """No more of an answer is taken into memory than one may be large, whatever its status; content is streamed."""
    told = rf"{_NAMED.get(name, 'bucket')}: .* larger than {8192 if name == 'delete' else 1024} KiB"
    late = "3s"
    with storing(make_store, answer, client, late) as store, soon(), pytest.raises(StoreTransient, match=told):
        _CALLS[name](store)


def test_a_large_list(make_store: MakeStore) -> None:
    """A page of a thousand long keys is larger than other answers may be."""
    entry = "<Contents><Key>{}</Key><Size>1</Size><LastModified>2026-11-30T07:00:00.000Z</LastModified></Contents>"
    entries = "".join(entry.format(f"{number:04}{'k' * 1020}") for number in range(2000))
    page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    answers = s3_answers.answering(
        s3_answers.answer("200 OK", "<VersioningConfiguration/>"), s3_answers.answer("200 OK", page)
    )
    assert receiving_s3.MOST < len(page) < receiving_s3.MOST_OF_LIST
    with s3_answers.serving(answers) as query:
        store = make_store(f"s3://bucket?{query}", prepared=False)
        assert len(list(store.list())) == 2000


def test_content_that_drips(make_store: MakeStore) -> None:
    """What came fast before does not let the rest come slower than the least rate."""
    begun = Endless(BODY.begin + endless.chunk(bytes(4 * MIB)).decode(), endless.chunk(b"x"), 0.02)
    told = r"x: less than 4096 bytes a second came of its content: 4\d{6} bytes in"
    with storing(make_store, begun) as store, soon(), pytest.raises(StoreTransient, match=told):
        read(store, ObjectKey("x"))


def test_content_that_is_slow_and_steady(make_store: MakeStore) -> None:
    """Content that comes at the least rate is read to its end, with pauses of its server and of its reader."""
    chunks = [endless.chunk(bytes(1024)) for _ in range(10)]
    answer = [BODY.begin.encode(), *chunks, b"0\r\n\r\n"]
    with endless.serving(answer, pause=0.12) as query:  # 8 KiB/s, for four times the time-out
        store = make_store(f"s3://bucket?{query}&read_timeout=300ms", prepared=False)
        with store.open(ObjectKey("x")) as pieces:
            time.sleep(0.5)
            assert sum(len(piece) for piece in pieces) == 10 * 1024


def test_content_that_pauses_after_it_was_slow(make_store: MakeStore) -> None:
    """What came fast gives the next wait its whole time again, in the socket too."""
    slow, fast = endless.chunk(b"x"), endless.chunk(bytes(8 * 1024))
    answer = [BODY.begin.encode(), slow, fast, b"", slow + b"0\r\n\r\n"]
    with endless.serving(answer, pause=0.42) as query:  # of the second it leaves 0.58; then 0.84 are waited
        store = make_store(f"s3://bucket?{query}&read_timeout=1s", prepared=False)
        assert len(read(store, ObjectKey("x"))) == 8 * 1024 + 2


@pytest.mark.parametrize("answer", [HEAD, BODY], ids=["head", "body"])
def test_an_upload_to_staging(monkeypatch: pytest.MonkeyPatch, answer: Endless) -> None:
    """A producer's upload does not hang either."""
    monkeypatch.setattr("tierkeeper_client.staging_s3.READ_TIMEOUT", 0.1)
    with endless.serving(answer) as query, soon():
        options = dict(each.split("=", 1) for each in query.split("&")[:3])
        staging = S3Staging("bucket", "", options)
        with pytest.raises(StagingUnavailable, match=r"its answer is late: \d+ bytes in"):
            staging.put(Upload(io.BytesIO(b"content")))


def test_a_server_that_hangs_up_in_its_100(make_store: MakeStore) -> None:
    """A connection that ends in the head of a 100 Continue ends the attempt."""
    raised: list[BaseException] = []

    def put() -> None:
        try:
            _put(store, 2 * MIB)
        except StoreTransient as error:
            raised.append(error)

    with storing(make_store, [b"HTTP/1.1 100 Continue\r\n"], "boto3") as store:
        putting = threading.Thread(target=put, daemon=True)  # one that does not end is left alone
        putting.start()
        putting.join(SOON)
    assert [type(each) for each in raised] == [OutcomeUnknown]


def test_the_service_that_gives_a_roles_credentials(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What STS answers is bounded, too: the first call of a tier with a role waits for it."""
    role = "role=arn:aws:iam::123456789012:role/keeper"
    with endless.serving(HEAD) as query:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", re.findall(r"endpoint=([^&]*)", query)[0])
        store = make_store(f"s3://bucket?{query}&read_timeout=300ms&region=x&{role}", prepared=False)
        with soon(), pytest.raises(StoreTransient, match=r"its answer is late: .* bytes in"):
            store.check()
