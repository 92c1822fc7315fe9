"""Translates what boto3 raises into the errors of the port, in one place."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import urllib3.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParser, ResponseParserError, ResponseParserFactory

from tierkeeper.base import log
from tierkeeper.stores import advice
from tierkeeper.stores.errors import (
    ContentMismatch,
    Garbled,
    ObjectNotFound,
    StoreDenied,
    StoreError,
    StoreFull,
    StorePermanent,
    StoreTransient,
    StoreUnusable,
    TierNotOurs,
)
from tierkeeper.stores.s3 import tries

_log = log.get(__name__)

NO_LOCK = {
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "InvalidRequest",
    "NotImplemented",
    "MethodNotAllowed",
}
_NOT_FOUND_CODES = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
_OCCUPIED = {"PreconditionFailed", "412", "NoSuchUpload"}
_FROZEN = {"InvalidObjectState", "ObjectNotInActiveTierError"}  # as a GET says it, and as a copy does
_MISMATCH = {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "StorageQuotaExceeded"}
_TRANSIENT = {
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "RequestLimitExceeded",
}
#: the credentials' own fault, although not every server says 403
_DENIED = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "AccountProblem"}
#: the fault of how the tier is set up: it would be the same for every object
_UNUSABLE = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidRegion",
    "InvalidStorageClass",
    "PermanentRedirect",
    "NotImplemented",
    "MethodNotAllowed",
}
PRECONDITION_FAILED = 412
_FORBIDDEN, _NOT_FOUND, _METHOD_NOT_ALLOWED = 403, 404, 405
_TOO_MANY, _SERVER_ERROR, _NOT_IMPLEMENTED, _UNAVAILABLE = 429, 500, 501, 503
#: what reading an answer ends in that lacks something, or has it in a form of its own
_ODD = (LookupError, ValueError, TypeError)
#: what botocore's reader ends in besides
_UNREAD = (*_ODD, AttributeError, ResponseParserError)
#: the log has an odd answer of one tier and kind whole, and again after a minute
_throttle: Final = log.Throttle(60.0)
_INTERRUPTED = (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)


class Occupied(StorePermanent):
    """Tier {tier} already has something at {location}, or the upload to it has ended. Look at what is there."""


class Frozen(StorePermanent):
    """Tier {tier} has {location} in an archive class. It must be thawed before it can be read."""


class Unread(Exception):  # botocore's reader ended in what it is raised from; it passes no boundary
    """An answer that botocore cannot read."""


class Parsers(ResponseParserFactory):
    """botocore's readers of answers. Whatever one of them ends in is Unread: it is no fault of what was asked."""

    def create_parser(self, protocol_name: str) -> ResponseParser:
        """Return the reader of a protocol."""
        parser = super().create_parser(protocol_name)
        read = parser.parse

        def parse(response: Any, shape: Any) -> Any:  # noqa: ANN401  botocore's
            try:
                return read(response, shape)
            except _UNREAD as error:
                if close := getattr(response.get("body"), "close", None):
                    close()  # a stream that nobody gets keeps its connection
                raise Unread from error

        parser.parse = parse  # type: ignore[method-assign]
        return parser


def code_of(error: ClientError) -> str:
    """Return S3's code of the error, such as ``NoSuchKey``; for a HEAD it is the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the error, 0 where it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def translated(error: Exception, *, tier: str, location: str) -> StoreError:
    """Return the port's error for ``error``."""
    if isinstance(error, ClientError):
        return _of_answer(error, tier=tier, location=location)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StoreDenied(tier=tier, reason=str(error))
    if isinstance(error, FlexibleChecksumError):
        return ContentMismatch(tier=tier, location=location, reason=str(error))
    if isinstance(error, ParamValidationError):
        return StorePermanent(tier=tier, reason=str(error))
    return StoreTransient(tier=tier, reason=f"{type(error).__name__}: {error}")


def _of_answer(error: ClientError, *, tier: str, location: str) -> StoreError:  # noqa: PLR0911  one return a kind
    code, status = code_of(error), status_of(error)
    reason = (
        f"{error.operation_name} of {location}: {code} {error.response.get('Error', {}).get('Message') or ''}".strip()
    )
    if code == "NoSuchBucket":
        bucket = error.response.get("Error", {}).get("BucketName")
        which = f"bucket {bucket}" if bucket else "its bucket"
        return TierNotOurs(tier=tier, reason=f"{which} does not exist: {advice.BUCKET}; {advice.NEW}")
    if code in _OCCUPIED:
        return Occupied(tier=tier, location=location)
    if code in _FROZEN:
        return Frozen(tier=tier, location=location)
    if code in _NOT_FOUND_CODES or status == _NOT_FOUND or _is_delete_marker(error):
        return ObjectNotFound(tier=tier, location=location)
    if code in _MISMATCH:
        return ContentMismatch(tier=tier, location=location, reason=reason)
    if code in _FULL:
        return StoreFull(tier=tier, reason=reason)
    if code in _TRANSIENT or status == _TOO_MANY or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED):
        return StoreTransient(tier=tier, reason=reason)
    if status == _FORBIDDEN or code in _DENIED:
        return StoreDenied(tier=tier, reason=reason)
    if code in _UNUSABLE:
        return StoreUnusable(tier=tier, reason=reason)
    return StorePermanent(tier=tier, reason=reason)


def _is_delete_marker(error: ClientError) -> bool:
    """Whether the version asked for is only the mark of a delete."""
    headers: dict[str, Any] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return status_of(error) == _METHOD_NOT_ALLOWED and headers.get("x-amz-delete-marker") == "true"


def is_refused(error: StoreError) -> bool:
    """Whether the try that an error tells of was not carried out for certain: it was not taken, or never sent."""
    told = error.__cause__
    if isinstance(told, ClientError):
        return code_of(told) in _TRANSIENT or status_of(told) in {_TOO_MANY, _UNAVAILABLE}
    return isinstance(told, tries.NEVER_SENT)


@contextlib.contextmanager
def translating(*, tier: str, location: str) -> Iterator[None]:
    """Translate what boto3 and the connection below it raise; an error of the code around the call stays what it is."""
    try:
        yield
    except (ClientError, BotoCoreError, *_INTERRUPTED) as error:
        raise translated(error, tier=tier, location=location) from error
    except Unread as error:
        raise _garbled(error.__cause__ or error, tier=tier, location=location) from error


@contextlib.contextmanager
def understanding(*, tier: str, location: str) -> Iterator[None]:
    """Raise Garbled where an answer lacks something or has it in a form of its own; only its reading is in it."""
    try:
        yield
    except _ODD as error:
        raise _garbled(error, tier=tier, location=location) from error


def _garbled(error: BaseException, *, tier: str, location: str) -> Garbled:
    """Return the error of an answer that could not be read; the log has it whole, once for many objects."""
    kind = type(error).__name__
    if _throttle.due((tier, kind)):
        _log.error("an answer cannot be understood", tier=tier, location=location, exc_info=error)
    reason = f"it lacks {error}" if isinstance(error, KeyError) else f"{kind}: {error}"
    return Garbled(tier=tier, location=location, reason=reason)
