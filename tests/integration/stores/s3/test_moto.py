"""The S3 store on moto: the contract and the S3 suite, for what moto checks honestly; and a misbehaving server."""

import socketserver
import threading
from contextlib import suppress

import pytest
from integration.stores.s3.suite import S3Suite
from support.s3_answers import KEYS, answer, answering, serving
from support.stored_objects import MakeStore, info_of, put, read

from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import Garbled, LockUnsupported, StoreDenied, StoreTransient, ThawNeeded


class TestMoto(S3Suite):
    """The suites on moto."""

    @pytest.fixture
    def server(self, moto_endpoint: str) -> str:
        return f"endpoint={moto_endpoint}&{KEYS}"


def error(status: str, code: str) -> bytes:
    """An S3 error."""
    body = f"<Error><Code>{code}</Code><Message>so it is</Message></Error>"
    return answer(status, body, Content_Length=str(len(body)))


@pytest.mark.parametrize("said", [error("503 Slow Down", "SlowDown"), error("500 Oops", "InternalError"), b""])
def test_a_server_in_trouble_is_transient(make_store: MakeStore, said: bytes) -> None:
    """A 5xx and a connection that ends without an answer are transient, on a write as on a read."""
    with serving(answering(said)) as server:
        store = make_store(f"s3://bucket?{server}", prepared=False)
        with pytest.raises(StoreTransient):
            put(store, b"x")
        with pytest.raises(StoreTransient):
            store.head(ObjectKey("x"))
        result = store.delete([ObjectKey("x", "version")])[0]
        assert result.state is DeleteState.FAILED
        assert "did not answer as it should" in result.detail


def test_a_server_that_does_not_answer_is_transient(make_store: MakeStore) -> None:
    """Nobody listening, and somebody who listens but never answers, are transient within the time-outs."""
    never = threading.Event()

    class Silent(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            never.wait(5)

    with serving(Silent) as server:
        with pytest.raises(StoreTransient, match="its answer is late"):
            make_store(f"s3://bucket?{server}", prepared=False).head(ObjectKey("x"))
        never.set()
    away = make_store(f"s3://bucket?{server.replace('attempts=1', 'attempts=2')}", prepared=False)
    with pytest.raises(StoreTransient, match="EndpointConnection"):
        away.head(ObjectKey("x"))
    with pytest.raises(StoreTransient, match="EndpointConnection") as caught:
        put(away, b"x")
    assert type(caught.value) is StoreTransient  # what was never sent has a known outcome


@pytest.mark.parametrize("client", ["signed", "boto3"])
def test_what_cannot_be_read_keeps_no_connection(make_store: MakeStore, client: str) -> None:
    """A stream that nobody gets is closed."""
    closed = threading.Event()

    class Odd(socketserver.StreamRequestHandler):
        timeout = 2

        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nLast-Modified: never\r\n\r\ncontent")
            with suppress(TimeoutError):
                self.rfile.read()
                closed.set()

    with serving(Odd) as server:
        store = make_store(f"s3://bucket?{server}&client={client}", prepared=False)
        with pytest.raises(Garbled) as caught, store.open(ObjectKey("x"), offset=1):
            pass
        assert closed.wait(3)
        assert "never" in str(caught.value)  # it is held until here, and all that was known where it was raised
        store.close()


def test_a_body_that_breaks_off_is_transient(make_store: MakeStore) -> None:
    """A body shorter than announced is noticed, not taken for the end."""
    with serving(answering(answer("200 OK", "only this", Content_Length="1000"))) as server:
        store = make_store(f"s3://bucket?{server}", prepared=False)
        with pytest.raises(StoreTransient), store.open(ObjectKey("x")) as pieces:
            b"".join(pieces)


def test_a_copy_that_fails_after_the_headers_is_noticed(make_store: MakeStore) -> None:
    """An answer to a copy that says 200 and carries an error is a failure."""
    body = "<Error><Code>InternalError</Code><Message>late</Message></Error>"
    failed, nothing = answer("200 OK", body, Content_Length=str(len(body))), error("404 Not Found", "NoSuchKey")
    with serving(answering(failed, nothing)) as server:
        store = make_store(f"s3://bucket?{server}", prepared=False)
        with pytest.raises(StoreTransient):
            store.copy(store, ObjectKey("x"), "y", info_of(b"x"))


def test_denied_access_is_denied(make_store: MakeStore) -> None:
    """Where the server says 403 it is StoreDenied, not a missing object."""
    with serving(answering(error("403 Forbidden", "AccessDenied"))) as server:
        store = make_store(f"s3://bucket?{server}", prepared=False)
        with pytest.raises(StoreDenied, match="credentials"):
            store.head(ObjectKey("x"))
        with pytest.raises(StoreDenied):
            store.prepare()


def test_a_bucket_without_object_lock_cannot_lock(make_store: MakeStore, moto_endpoint: str) -> None:
    """A store whose bucket has no Object Lock says so, and refuses to lock."""
    store = make_store(f"s3://plain-bucket?endpoint={moto_endpoint}&{KEYS}")
    key, info, _ = put(store, b"x")
    assert not store.can_lock
    for call in (store.lock, store.extend):
        with pytest.raises(LockUnsupported):
            call(key, until=info.created, mode=RetentionMode.GOVERNANCE)


def test_archive_classes_are_thawed_first(make_store: MakeStore, moto_endpoint: str) -> None:
    """What lies in an archive class is asked to be thawed by a read or a copy, which say when to come back."""
    store = make_store(f"s3://archive-bucket?endpoint={moto_endpoint}&{KEYS}&class=GLACIER")
    for act in (
        lambda key, _: read(store, key),
        lambda key, info: store.copy(store, key, store.location(info_of(b"content")), info),
    ):
        key, info, _ = put(store, b"content")
        with pytest.raises(ThawNeeded, match="try again after 12 hours"):
            act(key, info)
        assert store.head(key).size == 7
        assert read(store, key) == b"content"  # moto thaws at once


def test_a_thaw_under_way_is_waited_for(make_store: MakeStore) -> None:
    """Asking again while it is being thawed is no error of its own."""
    frozen, thawing = error("403 Forbidden", "InvalidObjectState"), error("409 Conflict", "RestoreAlreadyInProgress")
    with serving(answering(frozen, thawing)) as server:
        store = make_store(f"s3://bucket?{server}&thaw_tier=Expedited", prepared=False)
        with pytest.raises(ThawNeeded, match="5 minutes"):
            read(store, ObjectKey("x"))
