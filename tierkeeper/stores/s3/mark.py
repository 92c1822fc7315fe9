"""The mark of a tier on S3: one small object below the prefix, written and replaced only under its conditions."""

import contextlib
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tierkeeper.stores import marks
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import (
    ContentMismatch,
    MarkNotRead,
    ObjectNotFound,
    StorePermanent,
    StoreUnusable,
    Unnamed,
)
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.marks import TierMark
from tierkeeper.stores.s3 import answers, errors, look
from tierkeeper.stores.s3.place import Place


class _Found(NamedTuple):
    """What lies where the mark belongs, and the ETag under which it was read."""

    content: bytes
    etag: str | None


def read(place: Place) -> TierMark | None:
    """Return the mark, None where the bucket has none below the prefix.

    Raises MarkUnreadable where it is none, TierNotOurs where the bucket is missing, and MarkNotRead where nobody knows.
    """
    found = _look(place)
    return None if found is None else _parsed(place, found)


def check(place: Place) -> None:
    """Raise Garbled or Unnamed where the server tells of the mark in a form of its own, or without an ETag."""
    with contextlib.suppress(ObjectNotFound):
        found = look.head(place, ObjectKey(MARK))
        look.stored(place, MARK, found)
        if "ETag" not in found:  # a weak one names nothing, and what is copied there is read back
            raise Unnamed(tier=place.tier, location=MARK)


def write(place: Place, mark: TierMark) -> TierMark:
    """Write it where there is none; return the one that is there then."""
    _put(place, mark, IfNoneMatch="*")
    return _there(place)


def replace(place: Place, mark: TierMark, *, over: TierMark | None) -> TierMark:
    """Write it instead of exactly ``over``, None: what cannot be read as one; return the one that is there then."""
    found = _look(place)
    if found is None or not marks.is_over(over, lambda: _parsed(place, found)):
        raise StorePermanent(tier=place.tier, reason="its mark is another one by now: look at it again")
    if found.etag is None:
        raise StoreUnusable(tier=place.tier, reason=f"{_url(place)} has no ETag, by which alone it is replaced")
    _put(place, mark, IfMatch=found.etag)
    return _there(place)


def _look(place: Place) -> _Found | None:
    try:
        with place.translating(MARK):
            answer = place.hot.get_object(**place.address(MARK, None))
            content = b""
            with place.understanding(MARK), answer["Body"] as body:
                while len(content) <= marks.LARGEST and (piece := body.read(marks.LARGEST + 1 - len(content))):
                    content += piece
            return _Found(content, answers.etag(answer))
    except ObjectNotFound:
        place.require_bucket()  # not every server says which of both is missing
        return None
    except (StorePermanent, ContentMismatch) as error:  # in an archive class, say: it is the fault of no other object
        raise MarkNotRead(tier=place.tier, place=_url(place), reason=str(error)) from error


def _parsed(place: Place, found: _Found) -> TierMark:
    return marks.parse(found.content, tier=place.tier, place=_url(place))


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
                raise  # else somebody was faster, or an answer was lost: what is there now tells


def _there(place: Place) -> TierMark:
    found = read(place)
    if found is None:
        raise StorePermanent(tier=place.tier, reason="its mark was removed while it was written")
    return found
