"""What S3 says, in the words of the port."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, FlexibleChecksumError, NoCredentialsError

from tierkeeper.stores import errors
from tierkeeper.stores.s3 import description
from tierkeeper.stores.s3 import errors as s3_errors


def answer(status: int, code: str, **headers: str) -> ClientError:
    """An answer of S3."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {k.replace("_", "-"): v for k, v in headers.items()}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")  # type: ignore[typeddict-item]  # no request id


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        # what is not there
        (answer(404, "NoSuchKey"), errors.ObjectNotFound),
        (answer(404, "NoSuchVersion"), errors.ObjectNotFound),
        (answer(404, "404"), errors.ObjectNotFound),
        (answer(405, "MethodNotAllowed", x_amz_delete_marker="true"), errors.ObjectNotFound),
        # a missing bucket is no missing object
        (answer(404, "NoSuchBucket"), errors.TierNotOurs),
        # who may not
        (answer(403, "AccessDenied"), errors.StoreDenied),
        (answer(403, "SignatureDoesNotMatch"), errors.StoreDenied),
        (answer(400, "ExpiredToken"), errors.StoreDenied),
        (NoCredentialsError(), errors.StoreDenied),
        # what passes
        (answer(503, "SlowDown"), errors.StoreTransient),
        (answer(500, "InternalError"), errors.StoreTransient),
        (answer(429, "TooManyRequests"), errors.StoreTransient),
        (answer(409, "ConditionalRequestConflict"), errors.StoreTransient),
        (answer(400, "RequestTimeout"), errors.StoreTransient),
        (EndpointConnectionError(endpoint_url="http://h"), errors.StoreTransient),
        (ConnectionResetError("reset"), errors.StoreTransient),
        # what arrived wrong
        (answer(400, "BadDigest"), errors.ContentMismatch),
        (FlexibleChecksumError(error_msg="differs"), errors.ContentMismatch),
        # what is full
        (answer(403, "QuotaExceeded"), errors.StoreFull),
        (answer(507, "XMinioStorageFull"), errors.StoreFull),
        # what stays
        (answer(405, "MethodNotAllowed"), errors.StoreUnusable),
        (answer(400, "InvalidStorageClass"), errors.StoreUnusable),
        # what this one object is refused for
        (answer(400, "EntityTooLarge"), errors.StorePermanent),
        (answer(400, "KMS.DisabledException"), errors.StorePermanent),
        (answer(501, "NotImplemented"), errors.StoreUnusable),
        (answer(412, "PreconditionFailed"), s3_errors.Occupied),
        (answer(403, "InvalidObjectState"), s3_errors.Frozen),
        (answer(403, "ObjectNotInActiveTierError"), s3_errors.Frozen),
    ],
)
def test_every_error_has_its_kind(raised: Exception, kind: type[errors.StoreError]) -> None:
    """Each of S3's errors becomes the port's error that says what to do about it."""
    assert type(s3_errors.translated(raised, tier="cold", location="cas/x")) is kind


def test_an_error_without_code_is_told_without_gaps() -> None:
    """Where the answer has neither code nor words, what is said of it follows the call at once."""
    told = str(s3_errors.translated(answer(301, ""), tier="warm", location="bucket b"))
    assert "GetObject of bucket b: its endpoint redirects" in told


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("weekly/report.md", "weekly/report.md"),
        ("a b", "a%20b"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("日本語日本語", "base64:5pel5pys6Kqe5pel5pys6Kqe"),
    ],
)
def test_names_in_headers(text: str, header: str) -> None:
    """A name stands in a header percent-encoded, or in base64 where that is shorter."""
    assert description.header(text) == header


def test_the_longest_names_fit() -> None:
    """Tenant, workflow and name at their limits stay within the 2 KB that S3 takes."""
    assert len(description.header("ü" * 127)) * 2 + len(description.header("ü" * 350)) < 1800


@pytest.mark.parametrize("raised", [KeyError("ETag"), IndexError("0"), ValueError("never"), TypeError("none")])
def test_an_answer_that_cannot_be_understood_is_the_tiers_fault(raised: Exception) -> None:
    """What reading an odd answer ends in does not pass the store's boundary; what the port says does."""
    with pytest.raises(errors.Garbled, match="warm"), s3_errors.understanding(tier="warm", location="x"):
        raise raised
    with (
        pytest.raises(errors.ObjectNotFound),
        s3_errors.understanding(tier="warm", location="x"),
    ):
        raise errors.ObjectNotFound(tier="warm", location="x")


@pytest.mark.parametrize("raised", [KeyError("ETag"), ValueError("never"), TypeError("none"), AttributeError("x")])
def test_a_fault_of_our_own_is_not_told_of_a_server(raised: Exception) -> None:
    """Only what reads an answer may call it odd: an error of the code around a call stays what it is."""
    with pytest.raises(type(raised)), s3_errors.translating(tier="warm", location="x"):
        raise raised
    with pytest.raises(AttributeError), s3_errors.understanding(tier="warm", location="x"):
        raise AttributeError("place")


@pytest.mark.parametrize("kind", [errors.Garbled, errors.Unnamed])
def test_odd_answers_are_no_objects_fault(kind: type[errors.StoreError]) -> None:
    """They would be the same for every object: nothing is parked for them, and a message may come again."""
    assert (kind.of_object, kind.retryable) == (False, True)


def test_an_odd_answer_is_logged_whole_and_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log has where it could not be read, and not again for each object."""
    for location in ("a", "b"):
        with pytest.raises(errors.Garbled), s3_errors.understanding(tier="logged", location=location):
            raise KeyError("ETag")
    (once,) = caplog.records
    assert isinstance(once.msg, dict)
    assert (once.levelname, once.msg["location"]) == ("ERROR", "a")
    assert once.msg["exception"].endswith("KeyError: 'ETag'")


def test_a_missing_bucket_is_told_without_the_name_of_a_request() -> None:
    """It is named where the server names it."""
    error = answer(404, "NoSuchBucket")
    assert "GetObject" not in str(s3_errors.translated(error, tier="cold", location="x"))
    error.response["Error"]["BucketName"] = "clod"  # type: ignore[typeddict-unknown-key]  # S3 sends it
    assert "bucket clod does not exist: mend its name" in str(s3_errors.translated(error, tier="cold", location="x"))


def test_a_read_that_is_not_answered_tells_of_no_write() -> None:
    """The outcome of a read is no question."""
    assert "write" not in str(s3_errors.translated(answer(503, "SlowDown"), tier="cold", location="x"))


@pytest.mark.parametrize(
    ("raised", "refused"),
    [
        (answer(503, "Unknown"), True),
        (answer(429, "Unknown"), True),
        (answer(500, "SlowDown"), True),  # as a copy reports it in a 200
        (answer(500, "InternalError"), False),
        (answer(504, "GatewayTimeout"), False),
        (EndpointConnectionError(endpoint_url="http://h"), True),
        (ConnectionResetError("reset"), False),
    ],
)
def test_which_attempt_had_no_effect(raised: Exception, refused: bool) -> None:  # noqa: FBT001  a case's
    """An attempt certainly had no effect if its code or its status is a refusal, or its request was never sent."""
    error = s3_errors.translated(raised, tier="cold", location="cas/x")
    error.__cause__ = raised
    assert isinstance(error, errors.StoreTransient)
    assert s3_errors.is_refused(error) is refused
