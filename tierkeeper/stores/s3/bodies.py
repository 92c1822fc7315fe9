"""The forms of S3's answers: the root elements of their bodies, and the fields that every page of a list has.

botocore reads a body of another form, such as a proxy's page or nothing at all, as an answer whose every field is
absent. An absent field means none: an empty bucket, no versions, no retention. So what is absent counts only in an
answer of the right form. The root alone decides where S3 itself leaves fields out: a bucket that never kept versions
has an empty ``VersioningConfiguration``.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from xml.etree import ElementTree as ET

#: the root element by botocore's name of the answer, for the answers of which an absent field means none
ROOTS: Final = {
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetObjectLegalHoldOutput": "LegalHold",
    "GetObjectLockConfigurationOutput": "ObjectLockConfiguration",
    "GetObjectRetentionOutput": "Retention",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
}
#: the field by which the next page of a list is requested, of the lists that are read whole
_NEXT: Final = {
    "ListMultipartUploadsOutput": "NextKeyMarker",
    "ListObjectVersionsOutput": "NextKeyMarker",
    "ListObjectsV2Output": "NextContinuationToken",
}
_PREFIX = 4096  # bytes in which the root element begins


class OddFormError(ValueError):
    """An answer whose status is a success, and whose body is none of the call's."""


def require(kind: str, answer: Mapping[str, Any], read: Mapping[str, Any]) -> None:
    """Raise OddFormError, or KeyError with the field that is missing, for a success that has not the form of its kind.

    ``kind``: botocore's name of the answer, ``answer``: its status and body, ``read``: what botocore read in it.
    """
    if kind not in ROOTS or answer["status_code"] >= HTTPStatus.MULTIPLE_CHOICES:
        return
    root = _root(answer["body"])
    if root not in {ROOTS[kind], kind.replace("Output", "Response")}:  # moto names some after the call
        msg = f"its answer is {f'<{root:.40}>' if root else 'empty'}, not <{ROOTS[kind]}>"
        raise OddFormError(msg)
    if kind in _NEXT and read["IsTruncated"] and not read.get(_NEXT[kind]):
        raise KeyError(_NEXT[kind])  # botocore would take this page for the last one


def _root(body: bytes) -> str | None:
    """Return the name of the root element without its namespace, None for an empty body; botocore has read it whole."""
    parser: ET.XMLPullParser[Any] = ET.XMLPullParser(["start"])
    parser.feed(body[:_PREFIX])
    event: Any = next(iter(parser.read_events()), None)
    return None if event is None else str(event[1].tag).rpartition("}")[2]
