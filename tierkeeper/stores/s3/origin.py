"""What a copy on the server's side is made from."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.s3 import answers, errors, look
from tierkeeper.stores.s3.place import Place

_REFUSED = {"PreconditionFailed", "412"}


@dataclass(frozen=True, slots=True)
class Origin:
    """One object of a place; ``by_etag``: the server is told to copy no bytes but those of its ETag, and obeys."""

    place: Place
    key: ObjectKey
    by_etag: bool

    @property
    def is_named(self) -> bool:
        """Whether exactly the bytes of the pin are copied, or none."""
        return self.by_etag or answers.named(self.key)[0] is not None

    def is_said_by(self, answer: Mapping[str, Any]) -> bool:
        """Whether the answer of a copy names the bytes of the pin: by the version's id, or by an ETag that is an MD5.

        The ETag of an upload in parts is none, and that of a server's own encryption is another one each time.
        """
        version, etag = answers.named(self.key)
        if version is not None:
            return answer.get("CopySourceVersionId") == version
        return self.by_etag and etag is not None and "-" not in etag and answers.etag(answer) == etag

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of boto3 that name it in a copy."""
        version, etag = answers.named(self.key)
        source = {"Bucket": self.place.bucket, "Key": self.place.key(self.key.location)}
        condition = {"CopySourceIfMatch": etag} if self.by_etag else {}
        return {"CopySource": source if version is None else {**source, "VersionId": version}, **condition}

    @contextlib.contextmanager
    def exactly(self) -> Iterator[None]:
        """Raise ContentMismatch where the server refuses because other bytes are there."""
        try:
            yield
        except ClientError as error:
            if errors.code_of(error) in _REFUSED and self.by_etag:
                how = f"the server refuses to copy ETag {self.key.pin}"
                raise look.changed(self.place, self.key.location, how) from error
            raise
