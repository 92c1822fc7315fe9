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


class _Root:
    """A target of an XML parser that keeps the name of the first element alone."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.name: str | None = None

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        """Keep the name of the first element, without its namespace."""
        if self.name is None:
            self.name = tag.rpartition("}")[2]


def _root(body: bytes) -> str | None:
    """Return the name of the root element without its namespace, None for an empty body; botocore has read it whole.

    It is read as botocore reads it: as UTF-8, whatever encoding the body names.
    """
    root = _Root()
    parser = ET.XMLParser(target=root, encoding="utf-8")  # noqa: S314  expat of today bounds entities, as botocore has it
    parser.feed(body[:_PREFIX])
    return root.name
