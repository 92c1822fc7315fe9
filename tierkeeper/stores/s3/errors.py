"""Translates boto3's exceptions into the errors of the port, in one place."""

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
from tierkeeper.stores.s3 import attempts, bodies
from tierkeeper_client import receiving_s3

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
_FROZEN = {"InvalidObjectState", "ObjectNotInActiveTierError"}  # codes of a GET, and of a copy
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
#: faults of the credentials; not every server answers these with 403
_DENIED = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "AccountProblem"}
#: faults of the tier's configuration, the same for every object
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
#: codes of a call that the server does not have
_UNIMPLEMENTED = {"NotImplemented", "MethodNotAllowed"}
PRECONDITION_FAILED = 412
_REDIRECTS = range(300, 400)
_FORBIDDEN, _NOT_FOUND, _METHOD_NOT_ALLOWED = 403, 404, 405
_TOO_MANY, _SERVER_ERROR, _NOT_IMPLEMENTED = 429, 500, 501
#: exceptions of reading an answer that lacks a field, or has one in an unknown form
_ODD = (LookupError, ValueError, TypeError)
#: exceptions of botocore's parsers
_UNREAD = (*_ODD, AttributeError, ResponseParserError)
#: an answer that cannot be read is logged in full at most once a minute per tier and kind
_throttle: Final = log.Throttle(60.0)
_INTERRUPTED = (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)


class Occupied(StorePermanent):
    """Tier {tier} already has something at {location}, or the upload to it has ended. Look at what is there."""


class Frozen(StorePermanent):
    """Tier {tier} has {location} in an archive class. It must be thawed before it can be read."""


class UnreadableAnswer(Exception):  # botocore's reader ended in what it is raised from; it passes no boundary
    """An answer that botocore cannot read."""


class Parsers(ResponseParserFactory):
    """botocore's parsers of answers; they raise UnreadableAnswer for one that they cannot parse, or of another form."""

    def create_parser(self, protocol_name: str) -> ResponseParser:
        """Return the parser of a protocol."""
        parser = super().create_parser(protocol_name)
        read = parser.parse

        def parse(response: Any, shape: Any) -> Any:  # noqa: ANN401  botocore's
            try:
                parsed = read(response, shape)
                bodies.require("" if shape is None else shape.name, response, parsed)
            except _UNREAD as error:
                if close := getattr(response.get("body"), "close", None):
                    close()  # a stream that is not returned would keep its connection
                raise UnreadableAnswer from error
            else:
                return parsed

        parser.parse = parse  # type: ignore[method-assign]
        return parser


def code_of(error: ClientError) -> str:
    """Return S3's error code, such as ``NoSuchKey``; of a HEAD, the HTTP status as text."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Return the error's HTTP status; 0 where it has none."""
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
    told = receiving_s3.reason_of(error)
    reason = f"{type(error).__name__}: {error}" if told is None else f"{location}: {told}"
    return StoreTransient(tier=tier, reason=reason)


def _of_answer(error: ClientError, *, tier: str, location: str) -> StoreError:  # noqa: PLR0911  one return a kind
    code, status = code_of(error), status_of(error)
    told = f"{code} {error.response.get('Error', {}).get('Message') or ''}".strip()
    reason = f"{error.operation_name} of {location}{f': {told}' if told else ''}"
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
    if code in _UNUSABLE or status in _REDIRECTS:
        return StoreUnusable(tier=tier, reason=f"{reason}{_redirected(error)}")
    return StorePermanent(tier=tier, reason=reason)


def _redirected(error: ClientError) -> str:
    """Return what to say of an answer that redirects, empty for any other."""
    if status_of(error) not in _REDIRECTS:
        return ""
    headers: dict[str, Any] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    where = f"to {headers['location']}" if headers.get("location") else "elsewhere"
    return f": its endpoint redirects {where}, which is not followed; give the address that answers itself (https?)"


def _is_delete_marker(error: ClientError) -> bool:
    """Return True if the requested version is a delete marker."""
    headers: dict[str, Any] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return status_of(error) == _METHOD_NOT_ALLOWED and headers.get("x-amz-delete-marker") == "true"


def is_refused(error: StoreTransient) -> bool:
    """Return True if the failed attempt certainly had no effect: by :func:`attempts.refuses`, or by its error code.

    A code such as ``SlowDown`` is a refusal with any status: a server may report it in the body of a copy's 200.
    """
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return code_of(cause) in _TRANSIENT or attempts.refuses(status_of(cause))
    return attempts.refuses(cause)


def is_unimplemented(error: StoreError) -> bool:
    """Return True if the server says that it does not have this call."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    return code_of(cause) in _UNIMPLEMENTED or status_of(cause) in {_NOT_IMPLEMENTED, _METHOD_NOT_ALLOWED}


def end_redirects(response: tuple[Any, dict[str, Any]] | None = None, **_: object) -> None:
    """Raise the answer of a HeadBucket that redirects without a region; a handler of ``needs-retry``.

    botocore would ask where the bucket is by another HeadBucket, which is redirected too, until Python's stack is full.
    """
    if response is None or response[0].status_code not in _REDIRECTS:
        return
    parsed = response[1]
    told = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    if told is None and "Region" not in parsed.get("Error", {}):
        raise ClientError(parsed, "HeadBucket")  # type: ignore[arg-type]  # botocore's own form


@contextlib.contextmanager
def translating(*, tier: str, location: str) -> Iterator[None]:
    """Translate the exceptions of boto3 and the connection below it; others, such as our own code's, pass."""
    try:
        yield
    except (ClientError, BotoCoreError, *_INTERRUPTED) as error:
        raise translated(error, tier=tier, location=location) from error
    except UnreadableAnswer as error:
        raise _garbled(error.__cause__ or error, tier=tier, location=location) from error


@contextlib.contextmanager
def understanding(*, tier: str, location: str) -> Iterator[None]:
    """Raise Garbled where an answer lacks a field or has one in an unknown form; wrap only the reading of an answer."""
    try:
        yield
    except _ODD as error:
        raise _garbled(error, tier=tier, location=location) from error


def _garbled(error: BaseException, *, tier: str, location: str) -> Garbled:
    """Return Garbled for an answer that cannot be read; it is logged in full, at most once a minute."""
    kind = type(error).__name__
    if _throttle.due((tier, kind)):
        _log.error("an answer cannot be understood", tier=tier, location=location, exc_info=error)
    if isinstance(error, bodies.OddFormError):
        reason = str(error)
    else:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else f"{kind}: {error}"
    return Garbled(tier=tier, location=location, reason=reason)
