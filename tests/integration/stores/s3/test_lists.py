"""Lists of an S3 server that do not end, and questions to it for which no other thread waits."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from support.paging import Paging

from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import StoreTransient, StoreUnusable
from tierkeeper.stores.s3 import delete, lists, probe
from tierkeeper.stores.s3.lacking import Call, Lacking
from tierkeeper.stores.s3.probe import Abilities
from tierkeeper.stores.s3.store import S3Store

HELD = 3  # seconds for which a question is held back at most

_FORMS = {
    "list": ("ListBucketResult", "NextContinuationToken"),
    "versions": ("ListVersionsResult", "NextKeyMarker"),
    "uploads": ("ListMultipartUploadsResult", "NextKeyMarker"),
}
_WITH_VERSIONS = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def _deleted(store: S3Store) -> None:
    result = store.delete([ObjectKey("x")])[0]
    if result.state is DeleteState.FAILED:
        raise StoreTransient(tier=result.code, reason=result.detail)


_LISTED: dict[str, tuple[str, Callable[[S3Store], object]]] = {
    "objects": ("list", lambda store: list(store.list())),
    "versions": ("versions", lambda store: list(store.list())),
    "versions of a key": ("versions", _deleted),
    "uploads": ("uploads", lambda store: list(delete.pages_of_uploads(store.place, ""))),
    "what probes left": ("list", lambda store: probe.clear(store.place, before=datetime.now(UTC))),
}


def empty_pages(call: str, *, last: int, but: int = 0) -> Callable[[int], bytes]:
    """Return pages without entries, each with a new marker of the next, up to the ``last``; one has a marker."""
    root, marker = _FORMS[call]
    entry = "<DeleteMarker><Key>y</Key><VersionId>1</VersionId></DeleteMarker>"

    def page(times: int) -> bytes:
        more = "false" if times == last else "true"
        inside = f"{entry if times == but else ''}<IsTruncated>{more}</IsTruncated><{marker}>{times}</{marker}>"
        return f"<{root}>{inside}</{root}>".encode()

    return page


@pytest.mark.parametrize("what", _LISTED)
def test_a_list_of_empty_pages(monkeypatch: pytest.MonkeyPatch, store: S3Store, front: Paging, what: str) -> None:
    """A server that finds nothing for page after page, and always has one more, does not answer as it should."""
    monkeypatch.setattr(lists, "EMPTY_PAGES", 5)
    call, listed = _LISTED[what]
    front.pages = {call: empty_pages(call, last=40)}
    if call == "versions":
        front.pages["versioning"] = _WITH_VERSIONS
    with pytest.raises(StoreTransient, match="5 pages in a row of its list are empty, and none is the last"):
        listed(store)
    assert front.met[call] == 5


def test_a_list_with_empty_pages(monkeypatch: pytest.MonkeyPatch, store: S3Store, front: Paging) -> None:
    """Fewer of them in a row are a list, also where only markers of deletes are between them, or none follows."""
    monkeypatch.setattr(lists, "EMPTY_PAGES", 5)
    front.pages = {"versioning": _WITH_VERSIONS, "versions": empty_pages("versions", last=10, but=5)}
    assert list(store.list()) == []
    assert front.met["versions"] == 10


class _Held:
    """A page that comes only once it is let go; a server's, or what a memory recalls."""

    def __init__(self, page: bytes = b"") -> None:
        self.page = page
        self.asked, self.free = threading.Event(), threading.Event()

    def __call__(self, _times: int) -> bytes:
        self.recall("")
        return self.page

    def recall(self, _server: str) -> Mapping[str, bool]:
        self.asked.set()
        self.free.wait(HELD)
        return {}

    def keep(self, _server: str, _abilities: Mapping[str, bool]) -> None:
        """Keep nothing."""


@contextmanager
def asking(question: Callable[[], object], held: _Held) -> Iterator[None]:
    """A thread asks something, and has no answer yet at the end of what is within."""
    thread = threading.Thread(target=question)
    thread.start()
    assert held.asked.wait(10)
    yield
    unanswered = thread.is_alive() and not held.free.is_set()
    held.free.set()
    thread.join()
    assert unanswered


def test_the_buckets_abilities_are_asked_without_a_lock(store: S3Store, front: Paging) -> None:
    """Whoever does not ask what a slow server is asked does not wait for it; what is learned meanwhile stays."""
    place, held = store.place, _Held(b"<ObjectLockConfiguration/>")
    front.pages = {"object lock": held}
    with asking(lambda: place.lockable, held):
        place.once(1.0)
        assert not place.versioned
    other = S3Store(store.config).place
    front.pages = {"versioning": (held := _Held(b"<VersioningConfiguration/>"))}
    with asking(lambda: other.versioned, held):
        other.became_versioned()
    assert other.versioned


def test_a_probe_keeps_nobody(monkeypatch: pytest.MonkeyPatch, store: S3Store, front: Paging) -> None:
    """While a thread probes, others use what was known, or take an ability for missing after a while."""
    abilities, held = (
        Abilities(store.place),
        _Held(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
    )
    known = abilities.refuses_wrong_source(parts=False)
    abilities._until = 0.0
    front.pages = {"list": held}
    with asking(lambda: abilities.refuses_wrong_source(parts=False), held):
        assert abilities.refuses_wrong_source(parts=False) is known
    monkeypatch.setattr(probe, "_ASKED", 0.01)
    unknown = Abilities(store.place)
    front.pages = {"list": (held := _Held(held.page))}
    with asking(unknown.refuses_wrong_body, held):
        assert not unknown.refuses_wrong_body()


def test_a_memory_keeps_nobody() -> None:
    """A memory that is slow to recall does not keep what is learned of the server."""
    lacking, held = Lacking("hot", "server"), _Held()
    lacking.remember(held)
    error = StoreUnusable(tier="hot", reason="no such call")
    answer = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}
    error.__cause__ = ClientError(answer, "DeleteObjects")  # type: ignore[arg-type]  # no request id
    with asking(lambda: Call.BULK_DELETE in lacking, held):
        assert lacking.learn(Call.BULK_DELETE, error)
