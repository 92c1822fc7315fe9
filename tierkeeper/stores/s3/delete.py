"""Bulk deletes: exact versions, or every version of a key; the answer for each key is read.

On a versioned bucket a delete without a version id only hides the object. So a key without one is deleted there version
by version, each by its id; and on every bucket the open uploads of such a key are aborted.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.s3 import errors, lock
from tierkeeper.stores.s3.place import Place

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ErrorTypeDef, ObjectIdentifierTypeDef

MOST_KEYS = 1000  # S3's limit for one DeleteObjects
_GONE = {"NoSuchKey", "NoSuchVersion"}


def delete(place: Place, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
    """Delete ``keys``; return one result each, in their order."""
    whole = [key for key in keys if key.version is None]
    deletion = _Deletion(place)
    try:
        if whole:
            abort_uploads(place, {place.key(key.location) for key in whole})
        if whole and place.versioned:
            deletion.exact([key for key in keys if key.version is not None])
            deletion.all_versions(whole)
        else:
            deletion.exact(keys)
            deletion.all_versions(deletion.hidden)
    except StoreError as error:  # a whole call failed: its keys stay without an answer
        deletion.reason = str(error)
    return [deletion.result(key) for key in keys]


class _Deletion:
    """One bulk delete and its results so far."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._results: dict[ObjectKey, DeleteResult] = {}
        self.hidden: list[ObjectKey] = []  # keys that got a delete marker: the bucket turned out to be versioned
        self.reason = "the store did not answer for this key"

    def result(self, key: ObjectKey) -> DeleteResult:
        """Return the outcome of ``key``; FAILED where the server gave none."""
        return self._results.get(key) or DeleteResult(key, DeleteState.FAILED, self.reason)

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
                self._results[key] = DeleteResult(key, state, bad[0].detail)
            else:
                self._results[key] = DeleteResult(key, DeleteState.DELETED)

    def _exact(self, keys: Sequence[ObjectKey]) -> None:
        place = self._place
        by_name = {(place.key(key.location), key.version): key for key in keys}
        objects: list[ObjectIdentifierTypeDef] = [
            {"Key": name} if version is None else {"Key": name, "VersionId": version} for name, version in by_name
        ]
        with place.translating(f"{len(objects)} keys"):
            answer = place.hot.delete_objects(Bucket=place.bucket, Delete={"Objects": objects})
        for deleted in answer.get("Deleted", []):
            key = by_name.get((deleted.get("Key", ""), deleted.get("VersionId")))
            if key is None:
                continue
            if key.version is None and deleted.get("DeleteMarker"):
                place.became_versioned()
                self.hidden.append(key)
            else:
                self._results[key] = DeleteResult(key, DeleteState.DELETED)
        for error in answer.get("Errors", []):
            key = by_name.get((error.get("Key", ""), error.get("VersionId") or None))
            if key is not None:
                self._results[key] = self._refused(key, error)

    def _refused(self, key: ObjectKey, error: "ErrorTypeDef") -> DeleteResult:
        code, message = error.get("Code", ""), error.get("Message", "")
        if code in _GONE:
            return DeleteResult(key, DeleteState.DELETED)
        detail = f"{code} {message}".strip()
        if code == "AccessDenied" and ("object lock" in message.lower() or lock.is_locked(self._place, key)):
            return DeleteResult(key, DeleteState.LOCKED, detail)
        return DeleteResult(key, DeleteState.FAILED, detail)


def _versions(place: Place, location: str) -> list[str]:
    """Return the ids of all versions and delete markers of exactly this key."""
    key = place.key(location)
    versions: list[str] = []
    with place.translating(location):
        for page in place.client.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=key):
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            with place.understanding(location):
                versions += [each["VersionId"] for each in entries if each["Key"] == key]
                passed = any(each["Key"] > key for each in entries)
            if passed:
                break  # keys are listed in order
    return versions


def abort_uploads(place: Place, keys: set[str], *, but: str | None = None) -> None:
    """Abort every open upload of these keys (except ``but``), by one listing for all, as few are open at a time."""
    pages = place.client.get_paginator("list_multipart_uploads")
    prefix = _common_prefix(keys)
    with place.translating(prefix):
        for page in pages.paginate(Bucket=place.bucket, Prefix=prefix):
            with place.understanding(prefix):
                uploads = [(each["Key"], each["UploadId"]) for each in page.get("Uploads", [])]
            for key, upload in uploads:
                if key in keys and upload != but:
                    _abort(place, key, upload)


def _abort(place: Place, key: str, upload: str) -> None:
    try:
        place.client.abort_multipart_upload(Bucket=place.bucket, Key=key, UploadId=upload)
    except ClientError as error:
        if errors.code_of(error) != "NoSuchUpload":  # already completed or aborted
            raise


def _common_prefix(keys: set[str]) -> str:
    first, last = min(keys), max(keys)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
