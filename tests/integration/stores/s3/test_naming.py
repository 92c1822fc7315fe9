"""Servers that tell no SHA-256 of copies and parts: what names the source, and is asked, vouches for a copy then."""

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from support import plain_front
from support.plain_front import PlainFront
from support.s3_answers import KEYS
from support.stored_objects import MIB, MakeStore, info_of, put, read

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored, pin_of
from tierkeeper.stores.errors import ContentMismatch, StoreError
from tierkeeper.stores.s3 import heads
from tierkeeper.stores.s3.multipart import Finished
from tierkeeper.stores.s3.origin import Origin
from tierkeeper.stores.s3.store import S3Store


@pytest.fixture
def front(moto_endpoint: str) -> Iterator[PlainFront]:
    """A server that tells no checksums."""
    with plain_front.before(moto_endpoint) as made:
        yield made


@pytest.fixture(params=["signed", "boto3"])
def store(request: pytest.FixtureRequest, front: PlainFront, make_store: MakeStore) -> Store:
    """A tier behind it; copies above 5 MiB go in parts."""
    query = f"endpoint={front.endpoint}&{KEYS}&client={request.param}&copy_threshold=5MiB&multipart_chunk=5MiB"
    return make_store(f"s3://tk-plain?{query}")


def pinned(store: Store, content: bytes) -> tuple[ObjectKey, ObjectInfo, Stored]:
    """Put it, and name it by its pin."""
    key, info, stored = put(store, content)
    return replace(key, pin=stored.pin), info, stored


def overwrite(store: Store, location: str, content: bytes) -> None:
    """Write there as a foreign hand would."""
    place = cast("S3Store", store).place
    place.client.put_object(**place.address(location, None), Body=content)


def copied(store: Store, key: ObjectKey, info: ObjectInfo) -> Stored:
    """Copy it to a place of its own."""
    return store.copy(store, key, store.location(replace(info, placement=new_id())), info)


@pytest.mark.parametrize("size", [5000, 9 * MIB])
def test_a_server_that_asks(store: Store, size: int) -> None:
    """A copy by a pin is as good as its source, in one call and in parts; one of other bytes is refused."""
    content = os.urandom(size)
    key, info, _ = pinned(store, content)
    made = copied(store, key, info)
    assert made.vouched is Vouched.PINNED
    assert read(store, ObjectKey(made.location, pin=made.pin)) == content
    assert copied(store, ObjectKey(key.location), info).vouched is None  # by no name
    overwrite(store, key.location, os.urandom(size))
    with pytest.raises(ContentMismatch, match="something else was written there since"):
        copied(store, key, info)


def test_a_small_copy_costs_one_call(store: Store, front: PlainFront) -> None:
    """Once the server is known, a copy by a pin whose answer names the same bytes is one request."""
    key, info, stored = pinned(store, b"small")
    copied(store, key, info)
    front.met.clear()
    made = copied(store, key, info)
    assert (made.vouched, made.pin, made.size) == (Vouched.PINNED, stored.pin, len(b"small"))
    assert front.met == {"PUT": 1}


def test_a_copy_by_no_pin_is_looked_at(store: Store, front: PlainFront) -> None:
    """What was not named may have been anything: a HEAD follows."""
    key, info, _ = pinned(store, b"small")
    front.met.clear()
    assert copied(store, ObjectKey(key.location), info).vouched is None
    assert front.met == {"PUT": 1, "HEAD": 1}


@pytest.mark.parametrize(
    ("pin", "answer", "said"),
    [
        ('"a1"', {"ETag": '"a1"'}, True),
        ('"a1"', {"ETag": "a1"}, True),
        ('"a1"', {"ETag": '"b2"'}, False),  # a server's own encryption, or other bytes
        ('"a1"', {"ETag": 'W/"a1"'}, False),
        ('"a1"', {}, False),
        ('"a1-2"', {"ETag": '"a1-2"'}, False),  # no MD5
        ("v1", {"ETag": '"a1"', "CopySourceVersionId": "v1"}, True),
        ("v1", {"ETag": '"a1"', "CopySourceVersionId": "v2"}, False),
        ("v1", {"ETag": '"a1"'}, False),
        (None, {"ETag": '"a1"'}, False),
    ],
)
def test_an_answer_names_the_source(store: Store, pin: str | None, answer: dict[str, str], said: bool) -> None:  # noqa: FBT001
    """A copy is not looked at only where its answer says that the bytes are those of the pin."""
    place = cast("S3Store", store).place
    assert Origin(place, ObjectKey("cas/ab/x", pin=pin), by_etag=True).is_said_by(answer) is said
    assert not Origin(place, ObjectKey("cas/ab/x", pin='"a1"'), by_etag=False).is_said_by({"ETag": '"a1"'})


@pytest.mark.parametrize("size", [5000, 9 * MIB])
def test_a_server_that_does_not_ask(store: Store, front: PlainFront, size: int) -> None:
    """Where a wrong ETag is copied all the same, nobody vouches for a copy that was named by it."""
    front.asks = False
    key, info, _ = pinned(store, os.urandom(size))
    assert copied(store, key, info).vouched is None


def test_a_source_that_changes_while_it_is_copied(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is named in each part's own call: what came since the look at it is refused."""
    key, info, _ = pinned(store, os.urandom(9 * MIB))
    multipart = cast("Any", store)._multipart
    begin = multipart.copy

    def overtaken(*given: object) -> object:
        overwrite(store, key.location, os.urandom(9 * MIB))
        return begin(*given)

    monkeypatch.setattr(multipart, "copy", overtaken)
    with pytest.raises(ContentMismatch, match="refuses to copy"):
        copied(store, key, info)


def test_without_an_etag_nobody_knows_what_is_there(store: Store, front: PlainFront) -> None:
    """What a look by a pin meets then is neither right nor wrong; its SHA-256 judges a whole read, no range."""
    key, _, _ = pinned(store, b"small")
    front.tells_etags = False
    with pytest.raises(StoreError, match="is not known") as caught:
        store.head(key)
    assert not isinstance(caught.value, ContentMismatch)
    with pytest.raises(StoreError, match="is not known"):
        store.open(key, offset=1, length=2).__enter__()
    with store.open(key) as pieces:
        assert (b"".join(pieces), pin_of(pieces)) == (b"small", None)


@pytest.mark.parametrize("size", [5000, 9 * MIB])
def test_a_weak_etag_names_nothing(store: Store, front: PlainFront, size: int) -> None:
    """Where every ETag is weak nothing has a pin, copies are made all the same, and nobody vouches for them."""
    front.weakens = True
    content = os.urandom(size)
    key, info, stored = pinned(store, content)
    made = copied(store, key, info)
    assert (stored.pin, made.pin, made.vouched) == (None, None, None)
    assert read(store, ObjectKey(made.location)) == content


def test_what_was_opened_has_the_pin_of_its_answer(store: Store) -> None:
    """It names the bytes that are read, and no others; whatever came since is refused by it."""
    key, info, stored = pinned(store, b"small")
    with store.open(ObjectKey(key.location)) as pieces:
        assert (b"".join(pieces), pin_of(pieces)) == (b"small", stored.pin)
    overwrite(store, key.location, b"other")
    with store.open(ObjectKey(key.location)) as pieces:
        assert b"".join(pieces) == b"other"
        assert pin_of(pieces) not in {None, stored.pin}
    with pytest.raises(ContentMismatch):
        copied(store, key, info)


def test_parts_that_nobody_checked(store: Store) -> None:
    """What went in parts to a server that tells no checksum of them is not vouched for; in one call it is."""
    content = os.urandom(17 * MIB)
    key, _, stored = pinned(store, content)
    assert stored.vouched is None
    assert read(store, key) == content
    assert put(store, b"small")[2].vouched is Vouched.WRITTEN


@pytest.mark.parametrize("size", [5000, 17 * MIB])
@pytest.mark.parametrize("through", ["front", "moto_endpoint"])
def test_something_else_right_after_a_write(
    request: pytest.FixtureRequest, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, size: int, through: str
) -> None:
    """What comes right after a write is not pinned, whether the answer told a checksum or had to be looked after."""
    server = request.getfixturevalue(through)
    store = make_store(f"s3://tk-plain?endpoint={getattr(server, 'endpoint', server)}&{KEYS}")
    content = os.urandom(size)
    info = info_of(content)
    location = store.location(info)
    hot, multipart = cast("S3Store", store).place.hot, cast("Any", store)._multipart
    write, complete = hot.put_object, multipart._complete

    def written(**arguments: object) -> object:
        answer = write(**arguments)
        overwrite(store, location, os.urandom(size))
        return answer

    def completed(*given: object) -> object:
        answer = complete(*given)
        overwrite(store, location, os.urandom(size))
        return answer

    monkeypatch.setattr(hot, "put_object", written)
    monkeypatch.setattr(multipart, "_complete", completed)
    try:
        stored = store.put(location, io.BytesIO(content), info)
    except ContentMismatch:
        return  # the look after the write saw it
    assert stored.pin is not None
    with pytest.raises(ContentMismatch):
        read(store, ObjectKey(location, pin=stored.pin))


def test_something_else_right_after_a_copy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes right after a copy is not taken for the copy: by the look at it, or by the pin of its answer."""
    key, info, _ = pinned(store, os.urandom(5000))
    target = store.location(replace(info, placement=new_id()))
    place = cast("S3Store", store).place
    copy_object = place.copy_object

    def overtaken(*given: Any, **arguments: Any) -> Any:  # noqa: ANN401  as the real one
        answer = copy_object(*given, **arguments)
        overwrite(store, target, os.urandom(5000))
        return answer

    monkeypatch.setattr(place, "copy_object", overtaken)
    with pytest.raises(ContentMismatch, match="something else was written there since"):
        store.copy(store, ObjectKey(key.location), target, info)
    made = store.copy(store, key, target, info)
    with pytest.raises(ContentMismatch, match="something else was written there since"):
        store.head(ObjectKey(target, pin=made.pin))


def test_what_may_be_ours(store: Store) -> None:
    """Nobody vouches for what is found where something was to be written: its metadata was as easy to write."""
    content = os.urandom(5000)
    key, info, _ = put(store, content)
    again = store.put(key.location, io.BytesIO(content), info)
    assert (again.size, again.vouched, again.pin) == (5000, None, None)


@pytest.fixture
def mute(moto_endpoint: str, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A bucket with versions, whose server names a new one to a HEAD alone, not in the answer of a write."""
    store = cast("S3Store", make_store(f"s3://tk-mute?endpoint={moto_endpoint}&{KEYS}&multipart_chunk=5MiB"))
    versions: Any = {"Status": "Enabled"}
    store.place.client.put_bucket_versioning(Bucket=store.place.bucket, VersioningConfiguration=versions)
    store.place.became_versioned()

    def silenced(holder: object, call: str) -> None:
        real = getattr(holder, call)

        def without(*given: object, **arguments: object) -> object:
            return {name: value for name, value in real(*given, **arguments).items() if name != "VersionId"}

        monkeypatch.setattr(holder, call, without)

    silenced(store.place.hot, "put_object")
    silenced(store.place, "copy_object")
    return store


def test_a_version_that_no_answer_names_is_looked_up(mute: S3Store) -> None:
    """What is written or copied is locked, read and deleted by its version, so that is asked for."""
    key, info, stored = put(mute, b"small")
    assert (stored.version, stored.vouched) == (mute.head(ObjectKey(key.location)).version, Vouched.WRITTEN)
    assert stored.version is not None
    made = copied(mute, ObjectKey(key.location, stored.version, stored.pin), info)
    assert made.version == mute.head(ObjectKey(made.location)).version
    assert made.version is not None
    overwrite(mute, made.location, b"other")
    assert read(mute, ObjectKey(made.location, made.version, made.pin)) == b"small"


def test_what_has_no_version_is_not_looked_up(mute: S3Store, store: Store) -> None:
    """Where versions were switched off again S3 calls the one without an id ``null``; other buckets keep none."""
    assert heads.tells_version(mute.place, {"VersionId": "null"})
    assert heads.tells_version(cast("S3Store", store).place, {})
    assert not heads.tells_version(mute.place, {})


@pytest.mark.parametrize("weak", [True, False])
def test_an_upload_in_parts_is_named_as_heads_name_it(
    moto_endpoint: str, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, *, weak: bool
) -> None:
    """The ETag in the completion's body counts once a HEAD told one; one that no HEAD tells names nothing."""
    url = f"s3://tk-parts?endpoint={moto_endpoint}&{KEYS}&multipart_threshold=5MiB&multipart_chunk=5MiB"
    store = cast("S3Store", make_store(url))
    monkeypatch.setattr(Finished, "confirmed_by", lambda *_: True)  # as servers say that tell checksums of parts
    real = store.place.hot.head_object

    def weakened(**arguments: object) -> object:
        found = real(**arguments)
        return {**found, "ETag": f"W/{found['ETag']}"}

    if weak:
        monkeypatch.setattr(store.place.hot, "head_object", weakened)
    _, _, stored = put(store, os.urandom(6 * MIB))
    assert (stored.pin is None, stored.vouched) == ((True, None) if weak else (False, Vouched.WRITTEN))
