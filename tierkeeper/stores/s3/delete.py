"""Deletes: exact versions, or every version of a key; the answer for each key is read.

Keys go in bulk, or one by one where the server has no bulk delete. On a versioned bucket a delete without a version id
only hides the object. So a key without one is deleted there version by version, each by its id; and on every bucket the
open uploads of such a key are aborted, unless the server does not list them.

S3 answers a delete of one object and an abort with 204. Any other success may be a proxy's page: then a look shows
whether the object, or the upload, is still there.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey
from tierkeeper.stores.errors import Garbled, ObjectNotFound, StoreError, StoreTransient
from tierkeeper.stores.s3 import errors, lists, lock
from tierkeeper.stores.s3.lacking import Call
from tierkeeper.stores.s3.place import Place

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

MOST_KEYS = 1000  # S3's limit for one DeleteObjects
_GONE = {"NoSuchKey", "NoSuchVersion"}


def delete(place: Place, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
    """Delete ``keys``; return one result each, in their order."""
    whole = [key for key in keys if key.version is None]
    deletion = _Deletion(place)
    try:
        deletion.exact([key for key in keys if key.version is not None])
        if whole:
            abort_uploads(place, {place.key(key.location) for key in whole})
        if whole and place.versioned:
            deletion.all_versions(whole)
        else:
            deletion.exact(whole)
            deletion.all_versions(deletion.hidden)
    except StoreError as error:  # a whole call failed: its keys stay without an answer
        deletion.failed(error)
    return [deletion.result(key) for key in keys]


class _Deletion:
    """One delete of many keys and its results so far."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._results: dict[ObjectKey, DeleteResult] = {}
        self.hidden: list[ObjectKey] = []  # keys that got a delete marker: the bucket turned out to be versioned
        self._reason, self._code = "the store did not answer for this key", "Unanswered"

    def failed(self, error: StoreError) -> None:
        """Use ``error`` as the outcome of the keys that have none."""
        self._reason, self._code = str(error), error.code

    def result(self, key: ObjectKey) -> DeleteResult:
        """Return the outcome of ``key``; FAILED where the server gave none."""
        return self._results.get(key) or DeleteResult(key, DeleteState.FAILED, self._reason, self._code)

    def exact(self, keys: Sequence[ObjectKey]) -> None:
        """Delete exactly these versions (the only one of a key without a version, on an unversioned bucket)."""
        for start in range(0, len(keys), MOST_KEYS):
            self._exact(keys[start : start + MOST_KEYS])

    def all_versions(self, keys: Sequence[ObjectKey]) -> None:
        """Delete every version and every delete marker of these keys."""
        for key in keys:
            versions = [ObjectKey(key.location, version) for version in _versions(self._place, key.location)]
            self.exact(versions)
            bad = [self.result(v) for v in versions if self.result(v).state is not DeleteState.DELETED]
            if bad:
                locked = all(each.state is DeleteState.LOCKED for each in bad)
                state = DeleteState.LOCKED if locked else DeleteState.FAILED
                self._results[key] = DeleteResult(key, state, bad[0].detail, bad[0].code)
            else:
                self._results[key] = DeleteResult(key, DeleteState.DELETED)

    def _exact(self, keys: Sequence[ObjectKey]) -> None:
        place = self._place
        if Call.BULK_DELETE in place.lacking:
            self._one_by_one(keys)
            return
        by_name = {(place.key(key.location), key.version): key for key in keys}
        objects: list[ObjectIdentifierTypeDef] = [
            {"Key": name} if version is None else {"Key": name, "VersionId": version} for name, version in by_name
        ]
        try:
            with place.translating(f"{len(objects)} keys"):
                answer = place.hot.delete_objects(Bucket=place.bucket, Delete={"Objects": objects})
        except StoreError as error:
            if not place.lacking.learn(Call.BULK_DELETE, error):
                raise
            self._one_by_one(keys)
            return
        for deleted in answer.get("Deleted", []):
            key = by_name.get((deleted.get("Key", ""), deleted.get("VersionId")))
            if key is not None:
                self._accepted(key, marker=deleted.get("DeleteMarker", False))
        for refusal in answer.get("Errors", []):
            key = by_name.get((refusal.get("Key", ""), refusal.get("VersionId") or None))
            if key is not None:
                self._results[key] = self._refused(key, refusal)

    def _one_by_one(self, keys: Sequence[ObjectKey]) -> None:
        """Delete each key by a call of its own; a server that does not answer ends that, and the rest wait."""

        def single(key: ObjectKey) -> Mapping[str, Any] | StoreError:
            try:
                with place.translating(key.location):
                    answer = place.client.delete_object(**place.address(key.location, key.version))
                if not _is_done(answer):
                    _require_gone(place, key)
            except StoreError as error:
                return error
            else:
                return answer

        place = self._place
        width = place.options.concurrency
        with ThreadPoolExecutor(width, thread_name_prefix="tierkeeper-delete") as threads:
            for start in range(0, len(keys), width):
                some = keys[start : start + width]
                answers = list(threads.map(single, some))
                for key, answer in zip(some, answers, strict=True):
                    self._answered(key, answer)
                lost = next((answer for answer in answers if isinstance(answer, StoreTransient)), None)
                if lost is not None:
                    raise lost

    def _answered(self, key: ObjectKey, answer: Mapping[str, Any] | StoreError) -> None:
        if not isinstance(answer, StoreError):
            self._accepted(key, marker=answer.get("DeleteMarker", False))
        elif isinstance(answer.__cause__, ClientError):
            self._results[key] = self._refused(key, answer.__cause__.response["Error"])
        else:
            self._results[key] = DeleteResult(key, DeleteState.FAILED, str(answer), answer.code)

    def _accepted(self, key: ObjectKey, *, marker: bool) -> None:
        """Note what the server deleted; a ``marker`` without a version id only hides the object."""
        if key.version is None and marker:
            self._place.became_versioned()
            self.hidden.append(key)
        else:
            self._results[key] = DeleteResult(key, DeleteState.DELETED)

    def _refused(self, key: ObjectKey, error: Mapping[str, Any]) -> DeleteResult:
        code, message = error.get("Code", ""), error.get("Message", "")
        if code in _GONE:
            return DeleteResult(key, DeleteState.DELETED)
        detail = f"{code} {message}".strip()
        if code == "AccessDenied" and ("object lock" in message.lower() or lock.is_locked(self._place, key)):
            return DeleteResult(key, DeleteState.LOCKED, detail, code)
        return DeleteResult(key, DeleteState.FAILED, detail, code)


def _versions(place: Place, location: str) -> list[str]:
    """Return the ids of all versions and delete markers of exactly this key."""
    key = place.key(location)
    versions: list[str] = []
    for page in lists.pages(place, "list_object_versions", key):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        with place.understanding(location):
            versions += [each["VersionId"] for each in entries if each["Key"] == key]
            passed = any(each["Key"] > key for each in entries)
        if passed:
            break  # keys are listed in order
    return versions


def pages_of_uploads(place: Place, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of open uploads of keys with this beginning; none where the server does not list uploads."""
    if Call.LIST_UPLOADS in place.lacking:
        return
    try:
        yield from lists.pages(place, "list_multipart_uploads", prefix)
    except StoreError as error:
        if not place.lacking.learn(Call.LIST_UPLOADS, error):
            raise


def abort_uploads(place: Place, keys: set[str], *, but: str | None = None) -> None:
    """Abort every open upload of these keys (except ``but``), by one listing for all, as few are open at a time."""
    prefix = _common_prefix(keys)
    for page in pages_of_uploads(place, prefix):
        with place.understanding(prefix):
            uploads = [(each["Key"], each["UploadId"]) for each in page.get("Uploads", [])]
        for key, upload in uploads:
            if key in keys and upload != but:
                with place.translating(prefix):
                    _abort(place, key, upload)


def _abort(place: Place, key: str, upload: str) -> None:
    address: dict[str, Any] = {"Bucket": place.bucket, "Key": key, "UploadId": upload}
    try:
        if _is_done(place.client.abort_multipart_upload(**address)):
            return
        place.client.list_parts(**address, MaxParts=1)
    except ClientError as error:
        if errors.code_of(error) != "NoSuchUpload":  # already completed or aborted
            raise
    else:
        raise _still_there(place, place.location(key), "upload")


def _is_done(answer: Mapping[str, Any]) -> bool:
    """Return True if the status of the answer is the one with which S3 says that it deleted, or aborted."""
    return bool(answer["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NO_CONTENT)


def _require_gone(place: Place, key: ObjectKey) -> None:
    """Raise Garbled where the object that the server claims to have deleted is still there."""
    try:
        with place.translating(key.location):
            place.hot.head_object(**place.address(key.location, key.version))
    except ObjectNotFound:
        place.require_bucket()  # a HEAD does not say whether the object is missing or the bucket
        return
    raise _still_there(place, key.location, "object")


def _still_there(place: Place, location: str, what: str) -> Garbled:
    reason = f"it answered its delete with a success other than 204, and the {what} is still there"
    return Garbled(tier=place.tier, location=location, reason=reason)


def _common_prefix(keys: set[str]) -> str:
    first, last = min(keys), max(keys)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
