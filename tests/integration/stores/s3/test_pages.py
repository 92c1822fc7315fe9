"""A success whose body is none of S3's: what is absent from it is not known, and nothing was deleted by it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from support.paging import EMPTY, HTML, Paging
from support.s3_answers import KEYS
from support.stored_objects import MakeStore, put, read

from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import Garbled, MarkNotRead, MarkUnreadable, ObjectNotFound
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.s3 import delete, lock, probe
from tierkeeper.stores.s3.store import S3Store


def _retained(store: S3Store) -> object:
    with store.place.translating("x"):
        store.place.client.put_object(**store.place.address("x", None), Body=b"x")
    return lock.retained(store.place, ObjectKey("x"))


def _legal_hold(store: S3Store) -> object:
    with store.place.translating("x"):
        return store.place.client.get_object_legal_hold(**store.place.address("x", None))


def _versioned(store: S3Store) -> None:
    store.place.client.put_bucket_versioning(Bucket=store.place.bucket, VersioningConfiguration={"Status": "Enabled"})


def _all_versions(store: S3Store) -> object:
    _versioned(store)
    return list(store.list())


def _parts(store: S3Store) -> object:
    with store.place.translating("x"):
        return store.place.client.list_parts(**store.place.address("x", None), UploadId="x")


_ASKED: dict[str, Callable[[S3Store], object]] = {
    "list": lambda store: list(store.list()),
    "versions": _all_versions,
    "uploads": lambda store: list(delete.pages_of_uploads(store.place, "")),
    "parts": _parts,
    "versioning": lambda store: store.place.versioned,
    "object lock": lambda store: store.can_lock,
    "retention": _retained,
    "legal hold": _legal_hold,
}
_LISTS = {
    "list": "ListBucketResult",
    "versions": "ListVersionsResult",
    "uploads": "ListMultipartUploadsResult",
}


@pytest.mark.parametrize("page", [HTML, EMPTY], ids=["html", "empty"])
@pytest.mark.parametrize("call", _ASKED)
def test_what_a_page_leaves_out_is_not_known(store: S3Store, front: Paging, call: str, page: bytes) -> None:
    """No answer that only lacks fields is read as none: no objects, no versions, no uploads, no lock, no retention."""
    front.pages = {call: page}
    with pytest.raises(Garbled, match=r"its answer is (<html>|empty), not <"):
        _ASKED[call](store)


@pytest.mark.parametrize("inside", ["", "<IsTruncated>true</IsTruncated>"], ids=["no word of more", "more, not where"])
@pytest.mark.parametrize(("call", "root"), _LISTS.items())
def test_a_list_that_may_go_on_is_not_whole(store: S3Store, front: Paging, call: str, root: str, inside: str) -> None:
    """A page of a list that does not say that it is the last, or not how to get the next one, is not taken for all."""
    front.pages = {call: f"<{root}>{inside}</{root}>".encode()}
    with pytest.raises(Garbled, match=r"it lacks '(IsTruncated|Next)"):
        _ASKED[call](store)


def test_the_probe_clears_by_no_page(store: S3Store, front: Paging) -> None:
    """What a probe left is not taken for gone because the list of it is a page."""
    front.pages = {"list": HTML}
    with pytest.raises(Garbled):
        probe.clear(store.place, before=datetime.now(UTC))


@pytest.mark.parametrize("page", [HTML, EMPTY], ids=["html", "empty"])
@pytest.mark.parametrize("client", ["signed", "boto3"])
def test_a_page_deletes_nothing(make_store: MakeStore, front: Paging, client: str, page: bytes) -> None:
    """A delete that is answered with a page, one by one or in bulk, has failed where the object is still there."""
    store = make_store(f"s3://deleted-by-{client}?endpoint={front.endpoint}&{KEYS}&attempts=1&client={client}")
    key, *_ = put(store, b"content")
    front.pages = {"bulk delete": page}
    assert store.delete([key])[0].state is DeleteState.FAILED
    front.pages, front.lacks = {"DELETE object": page}, {"bulk delete"}
    result = store.delete([key])[0]
    assert (result.state, result.code) == (DeleteState.FAILED, "Garbled")
    assert "still there" in result.detail
    front.after = {"DELETE object"}  # a server that answers so to what it did
    assert store.delete([key])[0].state is DeleteState.DELETED
    front.pages, front.lacks = {}, set()
    with pytest.raises(ObjectNotFound):
        store.head(key)


@pytest.mark.parametrize("call", ["versions", "uploads", "versioning"])
@pytest.mark.parametrize("page", [HTML, EMPTY], ids=["html", "empty"])
def test_nothing_found_is_nothing_deleted(
    make_store: MakeStore, store: S3Store, front: Paging, call: str, page: bytes
) -> None:
    """A key is deleted with all its versions and uploads only where these were listed."""
    if call == "versions":
        _versioned(store)
    key = ObjectKey(put(store, b"content")[0].location)
    url = f"s3://{store.place.bucket}?endpoint={front.endpoint}&{KEYS}&attempts=1"
    other = make_store(url, prepared=False)  # it has asked nothing yet
    front.pages = {call: page}
    assert other.delete([key])[0].state is DeleteState.FAILED
    front.pages = {}
    assert read(store, key) == b"content"


@pytest.mark.parametrize("page", [HTML, EMPTY], ids=["html", "empty"])
def test_a_page_aborts_nothing(store: S3Store, front: Paging, page: bytes) -> None:
    """An upload whose abort is answered with a page is there still, unless it is looked for in vain."""
    place = store.place
    place.client.create_multipart_upload(**place.address("x", None))
    front.pages = {"abort": page}
    assert store.delete([ObjectKey("x")])[0].state is DeleteState.FAILED
    front.after = {"abort"}
    assert store.delete([ObjectKey("x")])[0].state is DeleteState.DELETED
    front.pages = {}
    assert not [one for each in delete.pages_of_uploads(place, "") for one in each.get("Uploads", [])]


def test_a_retention_that_is_not_shown_is_none(make_store: MakeStore, front: Paging) -> None:
    """A lock that was accepted and cannot be read back does not count as one."""
    store = cast("S3Store", make_store(f"s3://locked-by-pages?endpoint={front.endpoint}&{KEYS}&attempts=1&lock=yes"))
    front.pages = {"put retention": EMPTY, "retention": b"<Retention/>"}
    with pytest.raises(Garbled, match="tells none"):
        store.lock(ObjectKey("x"), until=datetime.now(UTC) + timedelta(days=1), mode=RetentionMode.COMPLIANCE)
    end = "<RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>"
    front.pages["retention"] = f"<Retention>{end}</Retention>".encode()
    with pytest.raises(Garbled, match="it lacks 'Mode'"):
        lock.retained(store.place, ObjectKey("x"))
    front.pages["retention"] = f"<Retention><Mode>GOVERNANCE</Mode>{end}</Retention>".encode()
    assert lock.retained(store.place, ObjectKey("x"))[0] is RetentionMode.GOVERNANCE


@pytest.mark.parametrize("page", [HTML, EMPTY], ids=["html", "empty"])
def test_a_page_is_no_broken_mark(store: S3Store, front: Paging, page: bytes) -> None:
    """A page in the place of the mark is not told as a mark to be replaced; an object that is no mark is."""
    store.place.client.put_object(**store.place.address(MARK, None), Body=b"{}")
    with pytest.raises(MarkUnreadable):
        store.mark()
    front.pages = {"GET object": page}
    with pytest.raises(MarkNotRead, match="its list has 2 bytes"):
        store.mark()
    front.pages["list"] = page
    with pytest.raises(MarkNotRead, match="its answer is"):
        store.mark()


def test_real_forms_are_read(store: S3Store, front: Paging) -> None:
    """What servers leave out by right is none: a bucket that never kept versions, an empty list, no legal hold."""
    front.pages = {
        "versioning": b'<?xml version="1.0"?>\n<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>',
        "list": b"<ListBucketResult><Name>x</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
        "object lock": b"<ObjectLockConfiguration/>",
        "retention": b"<Retention/>",
    }
    assert not store.place.versioned
    assert list(store.list()) == []
    assert not store.can_lock
    assert lock.retained(store.place, ObjectKey("x")) == (None, None)
