"""The source of a server-side copy."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.s3 import answers, errors, heads
from tierkeeper.stores.s3.place import Place

_REFUSED = {"PreconditionFailed", "412"}


@dataclass(frozen=True, slots=True)
class Origin:
    """One object of a place; ``by_etag``: it is copied under If-Match of its ETag, by a server that honours that."""

    place: Place
    key: ObjectKey
    by_etag: bool

    @property
    def is_named(self) -> bool:
        """Whether the request names the source's bytes, so that exactly these are copied, or none."""
        return self.by_etag or answers.named(self.key)[0] is not None

    def is_said_by(self, answer: Mapping[str, Any]) -> bool:
        """Return True if a copy's answer names the bytes of the pin: by the version's id, or by an equal ETag.

        An ETag with a dash, of an upload in parts, is no MD5 and proves nothing; under server-side encryption each copy
        has another ETag.
        """
        version, etag = answers.named(self.key)
        if version is not None:
            return answer.get("CopySourceVersionId") == version
        return self.by_etag and etag is not None and "-" not in etag and answers.etag(answer) == etag

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of boto3 that name the source of a copy."""
        version, etag = answers.named(self.key)
        source = {"Bucket": self.place.bucket, "Key": self.place.key(self.key.location)}
        condition = {"CopySourceIfMatch": etag} if self.by_etag else {}
        return {"CopySource": source if version is None else {**source, "VersionId": version}, **condition}

    @contextlib.contextmanager
    def exactly(self) -> Iterator[None]:
        """Raise ContentMismatch where the server refuses the copy because other bytes are at the source's key."""
        try:
            yield
        except ClientError as error:
            if errors.code_of(error) in _REFUSED and self.by_etag:
                how = f"the server refuses to copy ETag {self.key.pin}"
                raise heads.changed(self.place, self.key.location, how) from error
            raise
