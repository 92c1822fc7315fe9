"""An S3 bucket as a store: AWS, Ceph, MinIO and their like.

``s3://bucket/prefix?endpoint=…&class=…`` and more options: see :class:`tierkeeper.stores.s3.clients.S3Options`.
Credentials come from the options or from the usual AWS places. Every write carries its SHA-256 for the server to check,
and is refused where the key already has an object.
"""

import base64
import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from tierkeeper.base.clock import utc
from tierkeeper.base.states import RetentionMode, Vouched
from tierkeeper.stores import layout
from tierkeeper.stores.base import DeleteResult, Memory, ObjectInfo, ObjectKey, Pieces, Store, StoreConfig, Stored
from tierkeeper.stores.content import Announced, read_exactly, require_announced
from tierkeeper.stores.errors import (
    ObjectNotFound,
    OutcomeUnknown,
    StoreError,
    StorePermanent,
    StoreTransient,
)
from tierkeeper.stores.s3 import answers, attempts, clients, delete, description, errors, heads, lists, lock, tier_mark
from tierkeeper.stores.s3.copy import Copier
from tierkeeper.stores.s3.multipart import Multipart
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.thaw import thawing
from tierkeeper.stores.s3.writes import Writes
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper_client.digest import CHUNK, Digest


class S3Store(Store):
    """Copies as objects below one prefix of one bucket."""

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        self.place = Place(config)
        self._multipart = Multipart(self.place)
        self._copier = Copier(self.place, self._multipart)
        self._writes = Writes(self.place)

    @classmethod
    def check_url(cls, config: StoreConfig) -> None:
        """Raise BadTierUrl for a URL or options that cannot be used; a provider of credentials may be a server too."""
        clients.judge(config)

    @property
    def realm(self) -> str:
        """The server and the credentials."""
        return self.place.options.realm

    @property
    def site(self) -> str:
        """The bucket and the prefix."""
        prefix = self.place.options.prefix
        return f"bucket {self.place.bucket}{f', below {prefix}' if prefix else ''}"

    @property
    def can_lock(self) -> bool:
        """Whether the bucket has Object Lock."""
        return self.place.lockable

    @property
    def storage_class(self) -> str | None:
        """The storage class of new objects; None where the bucket's default applies."""
        return self.place.options.storage_class

    @property
    def must_thaw(self) -> bool:
        """Whether new objects get an archive class."""
        return self.storage_class in {"GLACIER", "DEEP_ARCHIVE"}

    @property
    def readable_layout(self) -> bool:
        """Whether the layout is the readable one."""
        return self.place.options.readable

    def prepare(self) -> list[str]:
        """Create the bucket where it is missing; StoreUnusable where it lacks the Object Lock of option ``lock``."""
        return self.place.prepare()

    def check(self) -> None:
        """Raise StoreError if the bucket cannot be used, or the server's answer about the mark cannot be read."""
        self.place.require_bucket()
        tier_mark.check(self.place)

    def check_writes(self) -> None:
        """Write, read and delete an object of ours, once an hour while that succeeds; not in a bucket that locks."""
        self._writes.check()

    def mark(self) -> TierMark | None:
        """Return the mark below the prefix."""
        return tier_mark.read(self.place)

    def write_mark(self, mark: TierMark) -> TierMark:
        """Write the mark with If-None-Match."""
        return tier_mark.write(self.place, mark)

    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        """Write the mark with If-Match."""
        return tier_mark.replace(self.place, mark, over=over)

    def location(self, info: ObjectInfo) -> str:
        """Return the location for a new placement, below the prefix."""
        return layout.readable(info) if self.readable_layout else layout.content_addressed(info)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        """Upload in one request, or in parts if it is large or cannot be rewound."""
        try:
            if info.size > self.place.options.multipart_threshold or (info.size > CHUNK and not content.seekable()):
                return self._put_parts(location, content, info)
            return self._put_whole(location, content, info)
        except errors.Occupied:
            return self._maybe_ours(location, info)

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        """Copy by the server; StorePermanent from a store of another realm."""
        if not isinstance(source, S3Store) or source.realm != self.realm:
            raise StorePermanent(
                tier=self.config.tier, reason=f"it cannot copy from tier {source.config.tier} by itself"
            )
        try:
            return self._copier.copy(source.place, key, location, info)
        except errors.Occupied:  # the completion was sent twice, or the upload was aborted
            return self._maybe_ours(location, info)

    def head(self, key: ObjectKey) -> Stored:
        """Return the object's status. The SHA-256 is the server's; None for an upload in parts."""
        found = heads.head(self.place, key)
        return replace(heads.stored(self.place, key.location, found), pin=answers.pin(found))

    def describe(self, key: ObjectKey) -> ObjectInfo | None:
        """Return the description in the object's metadata."""
        place = self.place
        version, _ = answers.named(key)
        with place.translating(key.location):
            found = place.client.head_object(**place.address(key.location, version))
        with place.understanding(key.location):
            about, content_type = found["Metadata"], found["ContentType"]
        return description.read_back(about, content_type=content_type, location=key.location)

    @contextlib.contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        """Stream the object, or a range of it."""
        if length == 0:
            self.head(key)
            yield iter(())
            return
        answer = self._get(key, offset, length)
        if answer is None:  # the range begins beyond the end
            self.head(key)
            yield iter(())
            return
        with contextlib.closing(answer["Body"]) as body:
            yield Pieces(self._pieces(key, body), answers.pin(answer))

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        """Delete in bulk."""
        return delete.delete(self.place, keys)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield the objects; on a versioned bucket every version of them."""
        place = self.place
        versioned = place.versioned
        operation, field = ("list_object_versions", "Versions") if versioned else ("list_objects_v2", "Contents")
        for page in lists.pages(place, operation, place.key(prefix)):
            for each in page.get(field, []):
                with place.understanding(prefix):
                    key, size, modified = each["Key"], each["Size"], utc(each["LastModified"])
                if place.location(key) != layout.MARK:
                    version = answers.version(each.get("VersionId"))
                    yield Stored(place.location(key), size, version, modified=modified)

    def lock(self, key: ObjectKey, *, until: dt.datetime, mode: RetentionMode) -> dt.datetime:
        """Set a retention on exactly this version."""
        return lock.lock(self.place, key, until=until, mode=mode)

    def extend(self, key: ObjectKey, *, until: dt.datetime, mode: RetentionMode) -> dt.datetime:
        """Lengthen a retention; compliance mode is kept."""
        return lock.extend(self.place, key, until=until, mode=mode)

    def remember(self, memory: Memory) -> None:
        """Use ``memory`` for the server's probed abilities."""
        self._copier.abilities.remember(memory)
        self.place.lacking.remember(memory)

    def close(self) -> None:
        """Release connections and threads."""
        self._multipart.close()
        self.place.close()

    def _put_whole(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        body = self._body(location, content, info)
        checksum = base64.b64encode(info.sha256).decode()
        try:
            with attempts.watched() as tries, self.place.translating(location):
                answer = self.place.hot.put_object(
                    **self.place.address(location, None),
                    Body=body,
                    ContentLength=info.size,
                    ChecksumSHA256=checksum,
                    ChecksumAlgorithm="SHA256",  # without it not every server checks the checksum
                    IfNoneMatch="*",
                    **self.place.about(info),
                )
        except StoreError as error:
            failure = body.failure if isinstance(body, Announced) else None
            if failure is not None and failure is not error:
                raise failure from error
            if tries.refused or not isinstance(error, StoreTransient):
                raise
            raise OutcomeUnknown(**error.data) from error
        pin = answers.pin(answer)
        if answer.get("ChecksumSHA256") == checksum and heads.tells_version(self.place, answer):
            version = answers.version(answer.get("VersionId"))
            return Stored(location, info.size, version, info.sha256, vouched=Vouched.WRITTEN, pin=pin)
        stored, _ = heads.after(self.place, location, info, answer)
        return replace(stored, vouched=None if stored.pin is None else Vouched.WRITTEN)

    def _body(self, location: str, content: BinaryIO, info: ObjectInfo) -> bytes | Announced:
        """Return the body of one request; its SHA-256 is compared here, or by a server that was seen to compare it."""
        tier = self.config.tier
        if info.size > CHUNK:
            hashed = not self._copier.abilities.refuses_wrong_body()
            return Announced(content, info, tier=tier, location=location, hashed=hashed)
        body, digest = read_exactly(content, info.size + 1), Digest()
        digest.add(body)
        require_announced(info, size=digest.size, sha256=digest.sha256, tier=tier, location=location)
        return body

    def _put_parts(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        finished = self._multipart.upload(location, content, info, self.place.about(info))
        answer = finished.answer
        if isinstance(answer, Stored):
            return answer
        version, pin = answers.version(answer.get("VersionId")), answers.pin(answer)
        checked = finished.confirmed_by(answer)
        if checked and heads.is_named(self.place, version) and heads.tells_version(self.place, answer):
            return Stored(location, info.size, version, info.sha256, vouched=Vouched.WRITTEN, pin=pin)
        stored, head = heads.after(self.place, location, info, answer)
        if stored.pin is None or not (checked or "ChecksumSHA256" in head):
            return stored  # without a pin, or it is not known whether the server checked the parts: not vouched for
        if not checked and not finished.confirmed_by(head):
            raise heads.mismatch(self.place, location, "the server has other checksums of its parts")
        return replace(stored, sha256=info.sha256, vouched=Vouched.WRITTEN)

    def _maybe_ours(self, location: str, info: ObjectInfo) -> Stored:
        """Return the object at ``location`` if it may be this write's: after a lost answer botocore writes twice.

        It is not vouched for: another writer could have written its metadata as easily as its bytes.
        """
        try:
            answer = heads.head(self.place, ObjectKey(location))
        except ObjectNotFound as error:
            raise StoreTransient(tier=self.config.tier, reason=f"the upload of {location} was aborted") from error
        stored = heads.stored(self.place, location, answer)
        recorded = stored.sha256.hex() if stored.sha256 else answer.get("Metadata", {}).get("sha256")
        if stored.size != info.size or recorded != info.sha256.hex():
            raise StorePermanent(tier=self.config.tier, reason=f"something else is at {location}")
        return stored

    def _get(self, key: ObjectKey, offset: int, length: int | None) -> Mapping[str, Any] | None:
        version, etag = answers.named(key)
        address = self.place.address(key.location, version)
        if offset or length is not None:
            address["Range"] = f"bytes={offset}-" if length is None else f"bytes={offset}-{offset + length - 1}"
        with thawing(self.place, key), self.place.translating(key.location):
            try:
                answer: Mapping[str, Any] = self.place.client.get_object(**address)
            except ClientError as error:
                if errors.code_of(error) == "InvalidRange":
                    return None
                raise
        try:
            heads.require(self.place, key.location, etag, answer, read_whole="Range" not in address)
        except StoreError:
            answer["Body"].close()
            raise
        return answer

    def _pieces(self, key: ObjectKey, body: StreamingBody) -> Iterator[bytes]:
        with self.place.translating(key.location), self.place.understanding(key.location):
            yield from body.iter_chunks(CHUNK)
