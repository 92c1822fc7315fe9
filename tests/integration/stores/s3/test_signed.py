"""The client of the hot calls: it makes them by itself, leaves to boto3 what it does not know, and is optional."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from integration.stores.s3.suite import S3Suite
from support import services
from support.s3_answers import KEYS, answer, answering, serving
from support.stored_objects import MakeStore, info_of, put, read

from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreTransient, TierNotOurs
from tierkeeper.stores.s3.signed import SignedClient
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.stores.tier_mark import TierMark


@contextmanager
def asked_of_boto3(*stores: Store) -> Iterator[list[str]]:
    """The operations for which boto3 sends requests."""
    seen: list[str] = []

    def note(request: Any, event_name: str, **_: object) -> None:  # noqa: ANN401  botocore's
        seen.append(event_name.rpartition(".")[2])

    for store in stores:
        place = cast("S3Store", store).place
        for client in (place.client, place.once(place.options.copy_seconds(0))):
            client.meta.events.register("before-send.s3", note)
    yield seen


class TestByBoto3(S3Suite):
    """The suites with client=boto3, on moto."""

    @pytest.fixture
    def server(self, moto_endpoint: str) -> str:
        return f"endpoint={moto_endpoint}&{KEYS}&client=boto3"


@pytest.mark.s3
class TestByBoto3OnTheRealServer(S3Suite):
    """The suites with client=boto3, on the real server."""

    @pytest.fixture
    def server(self) -> str:
        return f"{services.real_s3()}&client=boto3"


@pytest.fixture(params=["moto", pytest.param("real", marks=pytest.mark.s3)])
def server(request: pytest.FixtureRequest) -> str:
    """The query of a tier, on either server."""
    return (
        services.real_s3() if request.param == "real" else f"endpoint={request.getfixturevalue('moto_endpoint')}&{KEYS}"
    )


@pytest.mark.parametrize("name", ["plain", "grün/ä b%+&=;,$!'()*~.md", "x" * 200, "日本/語 🗿"])
def test_hot_calls_are_our_own(server: str, make_store: MakeStore, name: str) -> None:
    """PUT, COPY, HEAD and the bulk delete of whatever name never pass through boto3."""
    store = make_store(f"s3://tk-signed?{server}", layout="readable")
    sibling = make_store(f"s3://tk-signed-2?{server}", tier="warm", layout="readable")
    assert not any(cast("S3Store", each).place.versioned for each in (store, sibling))  # asked once of boto3
    with asked_of_boto3(store, sibling) as asked:
        key, info, stored = put(store, b"content", info_of(b"content", name=name))
        copied = sibling.copy(store, key, sibling.location(info), info)
        looked = sibling.head(ObjectKey(copied.location))
        assert replace(looked, modified=None) == replace(copied, vouched=None, modified=None)
        assert (stored.size, stored.sha256) == (7, info.sha256)
        hot, bucket = cast("S3Store", store).place.hot, cast("S3Store", store).place.bucket
        answered = hot.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key.location}, {"Key": "none & <no>"}]}
        )
    assert asked == []
    assert {each["Key"] for each in answered["Deleted"]} == {key.location, "none & <no>"}
    assert not answered["Errors"]
    with pytest.raises(ObjectNotFound):
        store.head(key)
    assert read(sibling, ObjectKey(copied.location)) == b"content"


def test_the_mark_is_read_by_our_own(server: str, make_store: MakeStore) -> None:
    """The mark, which each batch reads, comes without boto3, and its connection is used again."""
    store = make_store(f"s3://tk-signed?{server}")
    mark = TierMark(uuid4(), uuid4(), "hot", datetime(2026, 11, 28, tzinfo=UTC))
    assert store.mark() is None
    store.write_mark(mark)
    hot = cast("S3Store", store).place.hot
    with asked_of_boto3(store) as asked:
        assert store.mark() == mark
        made = cast("SignedClient", hot)._pool.num_connections
        assert [store.mark() for _ in range(3)] == [mark] * 3
        assert cast("SignedClient", hot)._pool.num_connections == made
    assert asked == []


def test_half_a_mark_is_none(make_store: MakeStore) -> None:
    """A mark whose answer breaks off is out of reach for now, as with boto3; it is no other mark."""
    with serving(answering(answer("200 OK", '{"format": 1', Content_Length="200"))) as one:
        store = make_store(f"s3://bucket?{one}", prepared=False)
        with asked_of_boto3(store) as asked, pytest.raises(StoreTransient):
            store.mark()
    assert asked == []


def test_a_copy_whose_answer_has_another_sha256(server: str, make_store: MakeStore) -> None:
    """It is a mismatch at once, without a look."""
    store = make_store(f"s3://tk-signed?{server}")
    key, _, _ = put(store, b"what is there")
    store.head(key)  # so it is known to tell ETags
    info = info_of(b"what it should")
    with pytest.raises(ContentMismatch, match="another SHA-256"):
        store.copy(store, key, store.location(info), replace(info, size=len(b"what is there")))


def test_versions(server: str, make_store: MakeStore) -> None:
    """On a versioned bucket exact versions are looked at, copied from and deleted."""
    store = make_store(f"s3://tk-signed-versions?{server}")
    place = cast("S3Store", store).place
    place.client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    with asked_of_boto3(store) as asked:
        key, info, stored = put(store, b"content")
        exact = ObjectKey(key.location, stored.version)
        assert exact.version is not None
        assert store.head(exact).version == exact.version
        copied = store.copy(store, exact, f"{key.location}-2", info)
        assert store.delete([exact, ObjectKey(copied.location, copied.version)])[0].state is DeleteState.DELETED
    assert asked == []
    with pytest.raises(ObjectNotFound):
        store.head(exact)


def test_what_is_not_success_is_asked_again_of_boto3(make_store: MakeStore) -> None:
    """A refusal, a server's error and a lost answer are boto3's to repeat: one bad answer is not seen by the engine."""
    found = answer("200 OK", Content_Length="7", Last_Modified="Fri, 20 Nov 2026 18:00:00 GMT")
    for bad in (answer("503 Slow Down"), answer("403 Forbidden"), b"", answer("301 Moved", x_amz_bucket_region="x")):
        with serving(answering(bad, found)) as one:
            store = make_store(f"s3://bucket?{one}", prepared=False)
            with asked_of_boto3(store) as asked:
                assert store.head(ObjectKey("x")).size == 7
            assert asked == ["HeadObject"]


def test_a_copy_that_fails_behind_its_200(make_store: MakeStore) -> None:
    """A copy is done only if the answer says so: an error in the body of a 200 is one, and not asked again here."""
    failed = "<Error><Code>InternalError</Code><Message>late</Message></Error>"
    done = "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>"
    answers = [answer("200 OK", body, Content_Length=str(len(body))) for body in (failed, done)]
    with serving(answering(*answers)) as one:
        store = make_store(f"s3://bucket?{one}", prepared=False)
        with asked_of_boto3(store) as asked:
            place = cast("S3Store", store).place
            client = place.once(place.options.copy_seconds(0))
            arguments = {"Bucket": "bucket", "Key": "x", "CopySource": {"Bucket": "bucket", "Key": "y"}}
            with pytest.raises(ClientError, match="InternalError"):
                place.copy_object(client, **arguments)
            assert place.copy_object(client, **arguments)["CopyObjectResult"] == {"ETag": "x"}
    assert asked == []


def test_what_it_does_not_know_is_boto3s(server: str, make_store: MakeStore) -> None:
    """Arguments that it does not know, and content that is a stream, go to boto3 as they are."""
    store = make_store(f"s3://tk-signed?{server}")
    place = cast("S3Store", store).place
    key, _, _ = put(store, os.urandom(2 * 1024 * 1024))  # hashed and sent from the stream
    address = place.address(key.location, None)
    with asked_of_boto3(store) as asked:
        place.hot.put_object(**place.address("other", None), Body=b"x", CacheControl="no-store")
        place.hot.head_object(**address, PartNumber=1)
        client = place.once(place.options.copy_seconds(0))
        place.copy_object(client, **place.address("third", None), CopySource={**address}, Expires="0")
        place.hot.delete_objects(Bucket=place.bucket, Delete={"Objects": [{"Key": "third"}], "Quiet": True})
    assert asked == ["PutObject", "HeadObject", "CopyObject", "DeleteObjects"]


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("endpoint=http://127.0.0.1:1&access_key=a&secret_key=b", True),
        ("endpoint=http://127.0.0.1:1&access_key=a&secret_key=b&client=boto3", False),
        ("region=eu-central-1&access_key=a&secret_key=b", False),  # AWS itself, until it is measured there
        ("region=eu-central-1&access_key=a&secret_key=b&client=signed", True),
    ],
)
def test_who_makes_them(make_store: MakeStore, query: str, *, signed: bool) -> None:
    """An endpoint of one's own gets the signed client; an option says otherwise."""
    store = make_store(f"s3://bucket?{query}", prepared=False)
    assert isinstance(cast("S3Store", store).place.hot, SignedClient) is signed


def test_a_proxy_is_boto3s(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the way leads through a proxy, boto3 goes it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    store = make_store("s3://bucket?endpoint=https://s3.example.org&access_key=a&secret_key=b", prepared=False)
    assert not isinstance(cast("S3Store", store).place.hot, SignedClient)


def test_a_bucket_in_the_hosts_name(make_store: MakeStore) -> None:
    """With virtual addressing the bucket is the first part of the host, and not of the path."""
    options = {"addressing": "virtual", "client": "signed"}
    query = "endpoint=http://localhost:1&access_key=a&secret_key=b&attempts=1"
    store = make_store(f"s3://bucket?{query}", prepared=False, **options)
    hot = cast("SignedClient", cast("S3Store", store).place.hot)
    assert (hot.host, hot.base) == ("bucket.localhost:1", "")


def test_the_bucket_is_missing(server: str, make_store: MakeStore) -> None:
    """A missing bucket is named as it is by boto3."""
    store = make_store(f"s3://tk-none-such?{server}", prepared=False)
    for call in (lambda: put(store, b"x"), lambda: store.head(ObjectKey("x"))):
        with pytest.raises(TierNotOurs, match="tierkeeper init"):
            call()
