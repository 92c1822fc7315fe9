"""The mark of a tier on S3: a small object below the prefix, written and replaced only by conditional requests."""

import contextlib
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tierkeeper.stores import tier_mark
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import (
    ContentMismatch,
    MarkNotRead,
    MarkUnreadable,
    ObjectNotFound,
    StorePermanent,
    StoreUnusable,
    Unnamed,
)
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.s3 import answers, errors, heads
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.tier_mark import TierMark


class _MarkObject(NamedTuple):
    """The content of the mark's object, and the ETag under which it was read."""

    content: bytes
    etag: str | None


def read(place: Place) -> TierMark | None:
    """Return the mark, None where the bucket has none below the prefix.

    Raises MarkUnreadable where the object is no mark, TierNotOurs where the bucket is missing, and MarkNotRead where
    the object cannot be read, or what answers is no S3 server: then the mark may be as it should be.
    """
    found = _get(place)
    return None if found is None else _parsed(place, found)


def check(place: Place) -> None:
    """Raise Garbled where the HEAD of the mark cannot be read, Unnamed where it has no ETag."""
    with contextlib.suppress(ObjectNotFound):
        found = heads.head(place, ObjectKey(MARK))
        heads.stored(place, MARK, found)
        if "ETag" not in found:  # a weak ETag is accepted: it names nothing, so copies are read back
            raise Unnamed(tier=place.tier, location=MARK)


def write(place: Place, mark: TierMark) -> TierMark:
    """Write the mark where there is none; return the mark read back."""
    _put(place, mark, IfNoneMatch="*")
    return _require_mark(place)


def replace(place: Place, mark: TierMark, *, over: TierMark | None) -> TierMark:
    """Replace exactly the mark ``over``, or for None an unreadable one; return the mark read back."""
    found = _get(place)
    if found is None or not tier_mark.is_over(over, lambda: _parsed(place, found)):
        raise StorePermanent(tier=place.tier, reason="its mark is another one by now: look at it again")
    if found.etag is None:
        raise StoreUnusable(tier=place.tier, reason=f"{_url(place)} has no ETag, by which alone it is replaced")
    _put(place, mark, IfMatch=found.etag)
    return _require_mark(place)


def _get(place: Place) -> _MarkObject | None:
    try:
        with place.translating(MARK):
            answer = place.hot.get_object(**place.address(MARK, None))
            content = b""
            with place.understanding(MARK), answer["Body"] as body:
                while len(content) <= tier_mark.LARGEST and (piece := body.read(tier_mark.LARGEST + 1 - len(content))):
                    content += piece
            return _MarkObject(content, answers.etag(answer))
    except ObjectNotFound:
        place.require_bucket()  # not every server says whether the object or the bucket is missing
        return None
    except (StorePermanent, ContentMismatch) as error:  # such as an archive class: no fault of other objects
        raise MarkNotRead(tier=place.tier, place=_url(place), reason=str(error)) from error


def _require_listed(place: Place, size: int) -> None:
    """Raise MarkNotRead unless a list has the mark's object with the ``size`` that was read, at least if that is whole.

    A page with status 200 is no mark either; but who sends pages does not list the bucket.
    """
    key = place.key(MARK)
    try:
        with place.translating(MARK):
            answer = place.client.list_objects_v2(Bucket=place.bucket, Prefix=key, MaxKeys=1)
        with place.understanding(MARK):
            sizes = [each["Size"] for each in answer.get("Contents", []) if each["Key"] == key]
    except StorePermanent as error:
        raise MarkNotRead(tier=place.tier, place=_url(place), reason=str(error)) from error
    if not any(listed == size or listed > tier_mark.LARGEST < size for listed in sizes):
        reason = f"{size} bytes were read, and its list has {f'{sizes[0]} bytes' if sizes else 'no mark'}"
        raise MarkNotRead(tier=place.tier, place=_url(place), reason=reason)


def _parsed(place: Place, found: _MarkObject) -> TierMark:
    try:
        return tier_mark.parse(found.content, tier=place.tier, place=_url(place))
    except MarkUnreadable:
        _require_listed(place, len(found.content))
        raise


def _url(place: Place) -> str:
    return f"s3://{place.bucket}/{place.key(MARK)}"


def _put(place: Place, mark: TierMark, **condition: Any) -> None:  # noqa: ANN401  an argument of boto3's
    with place.translating(MARK):
        try:
            place.client.put_object(
                **place.address(MARK, None), Body=mark.as_bytes(), ContentType="application/json", **condition
            )
        except ClientError as error:
            if errors.status_of(error) != errors.PRECONDITION_FAILED:
                raise  # else another process was faster, or an answer was lost: the mark read back shows which


def _require_mark(place: Place) -> TierMark:
    found = read(place)
    if found is None:
        raise StorePermanent(tier=place.tier, reason="its mark was removed while it was written")
    return found
