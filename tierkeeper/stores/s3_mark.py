"""The mark of a tier on S3: one small object below the prefix, written and replaced only under its conditions."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tierkeeper.stores import marks, s3_errors
from tierkeeper.stores.errors import ObjectNotFound, StorePermanent
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.marks import TierMark
from tierkeeper.stores.s3_place import Place


@dataclass(frozen=True, slots=True)
class Found:
    """A mark, and the ETag under which it was read."""

    mark: TierMark
    etag: str


def read(place: Place) -> Found | None:
    """Return the mark, None where the bucket has none below the prefix; TierNotOurs where the bucket is missing."""
    try:
        with place.translating(MARK):
            answer = place.client.get_object(**place.address(MARK, None))
            return Found(marks.parse(answer["Body"].read(), tier=place.tier), answer["ETag"])
    except ObjectNotFound:
        place.require_bucket()  # not every server says which of both is missing
        return None


def write(place: Place, mark: TierMark) -> TierMark:
    """Write it where there is none; return the one that is there then."""
    _put(place, mark, IfNoneMatch="*")
    return _there(place)


def replace(place: Place, mark: TierMark, *, over: TierMark) -> TierMark:
    """Write it instead of exactly ``over``; return the one that is there then."""
    found = read(place)
    if found is None or found.mark != over:
        raise StorePermanent(tier=place.tier, reason="its mark is another one by now: look at it again")
    _put(place, mark, IfMatch=found.etag)
    return _there(place)


def _put(place: Place, mark: TierMark, **condition: Any) -> None:  # noqa: ANN401  an argument of boto3's
    with place.translating(MARK):
        try:
            place.client.put_object(
                **place.address(MARK, None), Body=mark.as_bytes(), ContentType="application/json", **condition
            )
        except ClientError as error:
            if s3_errors.status_of(error) != s3_errors.PRECONDITION_FAILED:
                raise  # else somebody was faster, or an answer was lost: what is there now tells


def _there(place: Place) -> TierMark:
    found = read(place)
    if found is None:
        raise StorePermanent(tier=place.tier, reason="its mark was removed while it was written")
    return found.mark
