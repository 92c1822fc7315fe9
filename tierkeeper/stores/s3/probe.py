"""Probes what not every S3 server does, each day, on an own object below ``.tierkeeper/probe/``.

Some servers accept a condition and ignore it. An ability that the probe did not see counts as missing.
"""

import base64
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from tierkeeper.base import log
from tierkeeper.base.clock import now
from tierkeeper.stores import layout
from tierkeeper.stores.base import Memory, ObjectKey
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.s3 import answers, delete, errors, lists
from tierkeeper.stores.s3.place import Place
from tierkeeper_client.errors import TierkeeperError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = log.get(__name__)

FOLDER = f"{layout.RESERVED}/probe/"
COPIES, PARTS, BODIES = "copy_if_match", "part_copy_if_match", "put_sha256"
_BODY = b"probe"
_WRONG = f'"{"0" * 32}"'
LIFE = 600  # seconds for which a result, or its absence, is used: the server behind a name may be replaced
_ASKED = 5  # seconds for which a thread that knows of no ability waits for another's probe
_OK, _BAD, _REFUSED, _SERVER_ERROR, _NOT_IMPLEMENTED = 200, 400, 412, 500, 501


class Abilities:
    """The abilities that one tier's server was seen to have."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._asking = Lock()
        self._known: Mapping[str, bool] = {}
        self._memory: Memory | None = None
        self._until = 0.0

    def remember(self, memory: Memory) -> None:
        """Use ``memory``, which outlives this process."""
        self._memory = memory

    def refuses_wrong_source(self, *, parts: bool) -> bool:
        """Return True if the server refuses a copy whose If-Match fails; ``parts``: of a part of an upload."""
        return self._is_seen(PARTS if parts else COPIES)

    def refuses_wrong_body(self) -> bool:
        """Return True if the server refuses an upload with a wrong SHA-256, from either client."""
        return self._is_seen(BODIES)

    def _is_seen(self, ability: str) -> bool:
        """Return whether the ability was seen; while a thread probes, others use what was known, or wait a little."""
        if time.monotonic() >= self._until and self._asking.acquire(timeout=0 if self._known else _ASKED):
            try:
                self._ask()
            finally:
                self._asking.release()
        return self._known.get(ability, False)

    def _ask(self) -> None:
        if time.monotonic() < self._until:
            return  # another thread asked meanwhile
        try:
            self._known = self._find_out()
        except TierkeeperError as error:
            self._known = {}
            _log.warning("what the server can do is not known", tier=self._place.tier, error=str(error))
        self._until = time.monotonic() + LIFE

    def _find_out(self) -> Mapping[str, bool]:
        """Read the memory, else probe the server; raises StoreError and the memory's errors."""
        server = self._place.server
        known = self._memory.recall(server) if self._memory is not None else {}
        if not known.keys() >= {COPIES, PARTS, BODIES}:
            known = probe(self._place)
            if self._memory is not None:
                self._memory.keep(server, known)
        return known


def clear(place: Place, *, before: datetime) -> None:
    """Delete objects and open uploads that interrupted probes left before ``before``."""
    pages = list(lists.pages(place, "list_objects_v2", place.key(FOLDER)))
    uploads = list(delete.pages_of_uploads(place, place.key(FOLDER)))
    with place.understanding(FOLDER):
        old = {each["Key"] for page in pages for each in page.get("Contents", []) if each["LastModified"] < before}
        old |= {each["Key"] for page in uploads for each in page.get("Uploads", []) if each["Initiated"] < before}
    if old:
        delete.delete(place, [ObjectKey(place.location(key)) for key in sorted(old)])


def probe(place: Place) -> Mapping[str, bool]:
    """Write an object with wrong and right hashes, copy it by wrong and right ETags, delete all; raises StoreError."""
    clear(place, before=now() - timedelta(hours=1))  # younger objects may belong to another process's probe
    location = f"{FOLDER}{uuid4()}"
    copied, sent = f"{location}-copy", f"{location}-body"
    try:
        with place.translating(location):
            address = place.address(location, None)
            etag = answers.etag(place.client.put_object(**address, Body=_BODY))
            seen = {
                BODIES: _bodies(place, sent),
                COPIES: etag is not None and _copies(place, copied, address, etag),
                PARTS: etag is not None and _parts(place, copied, address, etag),
            }
    finally:
        with contextlib.suppress(StoreError):
            delete.delete(place, [ObjectKey(location), ObjectKey(copied), ObjectKey(sent)])
    _log.info("a server was probed", tier=place.tier, **seen)
    return seen


def _bodies(place: Place, location: str) -> bool:
    """Return True if a body is refused with a wrong SHA-256 and accepted with its own.

    A request that the server refuses from the thin client is repeated by boto3, which signs the bytes it sends: then
    only the checksum is wrong, and the server has to refuse it for that alone.
    """

    def put(content: bytes) -> None:
        place.hot.put_object(
            **place.address(location, None),
            Body=_BODY,
            ContentLength=len(_BODY),
            ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            ChecksumAlgorithm="SHA256",
        )

    return _status(lambda: put(b"other")) == _BAD and _status(lambda: put(_BODY)) == _OK


def _copies(place: Place, location: str, source: Mapping[str, Any], etag: str) -> bool:
    client = place.once(place.options.copy_seconds(0))

    def copy(wanted: str) -> None:
        place.copy_object(
            client,
            **place.address(location, None),
            CopySource={**source},
            CopySourceIfMatch=wanted,
            ChecksumAlgorithm="SHA256",
        )

    return _obeyed(copy, etag)


def _parts(place: Place, location: str, source: Mapping[str, Any], etag: str) -> bool:
    client: S3Client = place.client
    address = place.address(location, None)
    begun = client.create_multipart_upload(**address, ChecksumAlgorithm="SHA256")
    with place.understanding(location):
        upload = begun["UploadId"]

    def copy(wanted: str) -> None:
        client.upload_part_copy(
            **address,
            UploadId=upload,
            PartNumber=1,
            CopySource={"Bucket": source["Bucket"], "Key": source["Key"]},
            CopySourceIfMatch=wanted,
        )

    try:
        return _obeyed(copy, etag)
    finally:
        client.abort_multipart_upload(**address, UploadId=upload)


def _obeyed(copy: Callable[[str], None], etag: str) -> bool:
    """Return True if a wrong ETag is refused with 412, and the right one accepted."""
    return _status(lambda: copy(_WRONG)) == _REFUSED and _status(lambda: copy(etag)) == _OK


def _status(call: Callable[[], None]) -> int:
    try:
        call()
    except ClientError as error:
        status = errors.status_of(error)
        if status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED:
            raise  # a server's failure says nothing about its abilities
        return status
    return _OK
