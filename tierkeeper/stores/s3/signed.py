"""A thin client for the calls that are made once per object; all other calls use boto3.

botocore takes more than a millisecond of CPU per call, which threads cannot reduce (see decision 9). This client has
the five calls that the engine makes by the thousand, with boto3's names, arguments and answers, and it handles success
only: on any other answer, on none, or for an argument that it does not know, boto3 makes the call again. So retries,
redirects, skewed clocks and errors are botocore's, and a repeated call after a lost answer is what botocore itself
would have made. A copy is the exception: one that may be under way is not requested again. An object's content is
streamed by urllib3; the other calls, whose answers are small, are exchanges (:mod:`tierkeeper.stores.s3.exchange`).
"""

import base64
import contextlib
import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeGuard, cast
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import urllib3
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import where
from botocore.response import StreamingBody

from tierkeeper.base import log
from tierkeeper.stores.s3 import attempts, exchange
from tierkeeper.stores.s3.exchange import HttpExchange, WholeAnswer
from tierkeeper.stores.s3.sigv4 import NOTHING, Signer
from tierkeeper_client import receiving_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = log.get(__name__)

_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_AGENT = "tierkeeper"
_MOST_ODD = 3  # answers in a row that are not understood, before boto3 makes all calls
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SAFE = "/~"  # characters of a key that botocore does not quote
_META = "x-amz-meta-"
_HEADERS = {
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ContentType": "content-type",
    "CopySourceIfMatch": "x-amz-copy-source-if-match",
    "IfNoneMatch": "if-none-match",
    "MetadataDirective": "x-amz-metadata-directive",
    "StorageClass": "x-amz-storage-class",
}
_ANSWERED = {
    "x-amz-version-id": "VersionId",
    "x-amz-copy-source-version-id": "CopySourceVersionId",
    "x-amz-checksum-sha256": "ChecksumSHA256",
    "x-amz-checksum-type": "ChecksumType",
    "etag": "ETag",
}
#: exceptions of parsing XML: no XML, an unknown encoding, or one that expat does not support
_UNREADABLE = (ET.ParseError, LookupError, ValueError)
_KNOWN = {
    *_HEADERS,
    "Body",
    "Bucket",
    "ChecksumAlgorithm",
    "ContentLength",
    "CopySource",
    "Key",
    "Metadata",
    "VersionId",
}


class HotCalls(Protocol):
    """The calls of boto3's client that are made once per object; boto3's client satisfies the protocol."""

    def put_object(self, **arguments: Any) -> Any:  # noqa: ANN401  boto3's arguments and answers, here and below
        """Write an object; a body that is a file must be rewindable to its beginning."""

    def head_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Return an object's headers."""

    def get_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Open a small object."""

    def delete_objects(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Delete up to 1000 keys."""

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request on the bucket; ``length``: the size of a ``body`` that is a file, in bytes."""

    method: str
    key: str
    headers: Mapping[str, str]
    query: str = ""
    body: bytes | BinaryIO = b""
    length: int | None = None
    sha256: str = NOTHING
    bounds: receiving_s3.AnswerBounds = receiving_s3.SMALL

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.length or 0


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request as it is sent."""

    target: str
    headers: Mapping[str, str] = field(repr=False)


class SignedClient:
    """The hot calls on one bucket. Safe to use from many threads; connections are pooled."""

    def __init__(
        self,
        client: "S3Client",
        credentials: Credentials,
        bucket: str,
        *,
        virtual: bool,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
        ca_bundle: str | None,
    ) -> None:
        """``client`` has the endpoint; ``virtual``: the bucket is in the host name; ``ca_bundle`` None: botocore's.

        Times in seconds.
        """
        url = urlsplit(client.meta.endpoint_url)
        self._client, self._credentials = client, credentials
        self._signer = Signer(client.meta.region_name)
        self.host = f"{bucket}.{url.netloc}" if virtual else url.netloc
        self.base = quote(f"{url.path.rstrip('/')}/{'' if virtual else bucket}", safe=_SAFE).rstrip("/")
        authorities = ca_bundle or where()
        verified = {"cert_reqs": "CERT_REQUIRED", "ca_certs": authorities} if url.scheme == "https" else {}
        times = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._pool = receiving_s3.pool(f"{url.scheme}://{self.host}", maxsize=connections, timeout=times, **verified)
        self._exchange = HttpExchange(
            url.scheme,
            self.host,
            kept=connections,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            ca_bundle=authorities,
        )
        self._warned = False
        self._odd = 0  # answers in a row that were not understood
        self._counting = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()
        self._pool.close()

    def put_object(self, **arguments: Any) -> Any:  # noqa: ANN401  boto3's arguments and answers, here and below
        """Write an object from bytes, or from a file that is rewound for boto3, with its SHA-256; else call boto3."""
        body, checksum = arguments.get("Body"), arguments.get("ChecksumSHA256")
        answer = None
        sized = isinstance(body, bytes) or "ContentLength" in arguments
        if body is not None and sized and checksum is not None and arguments.keys() <= _KNOWN:
            headers = {"x-amz-sdk-checksum-algorithm": "SHA256", **_headers(arguments)}
            sha256 = base64.b64decode(checksum).hex()
            length = arguments.get("ContentLength")
            answer = self._call(_Request("PUT", arguments["Key"], headers, body=body, length=length, sha256=sha256))
            if _ok(answer):
                return _fields(answer.headers)
            if not isinstance(body, bytes):
                body.seek(0)
        return self._by_boto3("put_object", arguments, answer)

    def copy_object(self, once: "S3Client", **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Copy an object by the server; a server may send 200 before it knows whether the copy succeeds.

        ``once`` is a client that makes one attempt: its read time-out applies, and it makes the call where this client
        cannot or was refused. A lost answer, or one that reports a server failure, raises.
        """
        answer = None
        if arguments.keys() <= _KNOWN:
            source = arguments["CopySource"]
            origin = quote(f"{source['Bucket']}/{source['Key']}", safe=_SAFE)
            version = f"?versionId={quote(source['VersionId'], safe=_SAFE)}" if "VersionId" in source else ""
            headers = {"x-amz-copy-source": origin + version, **_headers(arguments)}
            if "ChecksumAlgorithm" in arguments:
                headers["x-amz-checksum-algorithm"] = arguments["ChecksumAlgorithm"]
            with contextlib.suppress(*attempts.NEVER_SENT):  # also from fetching credentials: boto3 makes the call
                seconds = cast("Any", once.meta.config).read_timeout
                answer = self._send(_Request("PUT", arguments["Key"], headers), seconds=seconds)
            if _ok(answer):
                return {**_fields(answer.headers), "CopyObjectResult": _copied(answer.data)}
            if answer is not None and answer.status >= _SERVER_ERROR:
                raise _failed("CopyObject", answer.status, answer.data)
        return self._by_boto3("copy_object", arguments, answer, client=once)

    def head_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Return an object's headers, as boto3 does."""
        answer = None
        if arguments.keys() <= _KNOWN:
            version = arguments.get("VersionId")
            query = "" if version is None else f"versionId={quote(version, safe='-_.~')}"
            answer = self._call(_Request("HEAD", arguments["Key"], _headers(arguments), query=query))
            if _ok(answer) and "content-length" in answer.headers and "last-modified" in answer.headers:
                with contextlib.suppress(ValueError, OverflowError):  # else boto3 parses them, or raises
                    size = int(answer.headers["content-length"])
                    modified = parsedate_to_datetime(answer.headers["last-modified"])
                    if modified.tzinfo is None:
                        raise ValueError("a time without a zone")
                    about = {n[len(_META) :]: value for n, value in answer.headers.items() if n.startswith(_META)}
                    return {
                        **_fields(answer.headers),
                        "ContentLength": size,
                        "LastModified": modified,
                        "Metadata": about,
                    }
        return self._by_boto3("head_object", arguments, answer)

    def get_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Open an object; reading its Body to the end, or closing it, releases the connection."""
        answer = None
        if arguments.keys() == {"Bucket", "Key"}:
            answer = self._content(_Request("GET", arguments["Key"], {}))
            if answer is not None and answer.status == _OK:
                body = StreamingBody(cast("Any", answer), cast("Any", answer.headers.get("content-length")))
                return {**_fields(answer.headers), "Body": body}
            if answer is not None:
                answer.drain_conn()
        return self._by_boto3("get_object", arguments, answer)

    def delete_objects(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Delete up to 1000 keys; the answer has the outcome of each."""
        answer = None
        if arguments.keys() == {"Bucket", "Delete"} and arguments["Delete"].keys() == {"Objects"}:
            listed = "".join(_object(each) for each in arguments["Delete"]["Objects"])
            body = f'<Delete xmlns="{_NAMESPACE}">{listed}</Delete>'.encode()
            md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            headers = {"content-md5": md5, "content-type": "application/xml"}
            sha256 = hashlib.sha256(body).hexdigest()
            bounds = receiving_s3.LIST
            answer = self._call(_Request("POST", "", headers, "delete=", body, sha256=sha256, bounds=bounds))
            if _ok(answer) and (outcomes := _deleted(answer.data)) is not None:
                return outcomes
        return self._by_boto3("delete_objects", arguments, answer)

    def _call(self, request: _Request) -> WholeAnswer | None:
        """Return the server's answer; None if there is none, or the request needs boto3."""
        try:
            answer = self._send(request)
        except OSError as error:
            attempts.lost(error)
            return None
        if answer is not None:
            attempts.answered(answer.status)
        return answer

    def _send(self, request: _Request, *, seconds: float | None = None) -> WholeAnswer | None:
        """Return the server's answer; None if the request needs boto3. Raises the exceptions of an exchange."""
        signed = self._signed(request)
        if signed is None:
            return None
        try:
            answer = self._exchange.ask(
                request.method,
                signed.target,
                signed.headers,
                request.body,
                length=request.size,
                bounds=request.bounds,
                seconds=seconds,
            )
        except exchange.NotUnderstood as error:
            with self._counting:
                self._odd += 1
                ends = self._odd == _MOST_ODD
            if ends:
                _log.warning("boto3 makes all calls from now on: answers are not understood", reason=str(error))
            raise
        if self._odd < _MOST_ODD:  # from there on it stays, whatever was under way comes to
            self._odd = 0
        return answer

    def _content(self, request: _Request) -> urllib3.BaseHTTPResponse | None:
        """Return the server's answer, whose content is still to be read; None as :meth:`_call`."""
        try:
            signed = self._signed(request)
            if signed is None:
                return None
            with receiving_s3.expecting(receiving_s3.CONTENT):
                answer = self._pool.urlopen(
                    request.method,
                    signed.target,
                    headers=signed.headers,
                    retries=False,
                    decode_content=False,
                    preload_content=False,
                )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            attempts.lost(error)
            return None
        attempts.answered(answer.status)
        return answer

    def _signed(self, request: _Request) -> _Signed | None:
        """Return the request as it is sent; None if it needs boto3."""
        keys = self._credentials.get_frozen_credentials()
        if not (keys.access_key and keys.secret_key) or self._odd >= _MOST_ODD:
            return None
        path = f"{self.base}/{quote(request.key, safe=_SAFE)}" if request.key else self.base or "/"
        headers = {**request.headers, "host": self.host}
        if request.method not in {"GET", "HEAD"}:
            headers["content-length"] = str(request.size)
        signed = self._signer.sign(
            request.method,
            path,
            request.query,
            headers,
            body_sha256=request.sha256,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            token=keys.token,
            now=datetime.now(UTC),
        )
        if not all(map(exchange.is_sendable, signed.values())):  # such as a line end behind a token
            return None
        signed["user-agent"] = _AGENT
        return _Signed(f"{path}?{request.query}" if request.query else path, signed)

    def _by_boto3(
        self,
        operation: str,
        arguments: dict[str, Any],
        refused: WholeAnswer | urllib3.BaseHTTPResponse | None,
        *,
        client: "S3Client | None" = None,
    ) -> Any:  # noqa: ANN401  as above
        answer = getattr(client or self._client, operation)(**arguments)
        if refused is not None and not self._warned and _BAD_REQUEST <= refused.status < _SERVER_ERROR:
            self._warned = True
            _log.warning(
                "the server refused a call that it took from boto3; client=boto3 in the tier's URL saves asking twice",
                operation=operation,
                status=refused.status,
            )
        return answer


def _ok(answer: WholeAnswer | None) -> TypeGuard[WholeAnswer]:
    return answer is not None and answer.status == _OK


def _headers(arguments: Mapping[str, Any]) -> dict[str, str]:
    headers = {_HEADERS[name]: value for name, value in arguments.items() if name in _HEADERS}
    headers.update({_META + name.lower(): value for name, value in arguments.get("Metadata", {}).items()})
    return headers


def _fields(headers: Mapping[str, str]) -> dict[str, Any]:
    return {field: headers[name] for name, field in _ANSWERED.items() if name in headers}


def _object(identifier: Mapping[str, str]) -> str:
    version = identifier.get("VersionId")
    key = f"<Key>{escape(identifier['Key'])}</Key>"
    return f"<Object>{key}{'' if version is None else f'<VersionId>{escape(version)}</VersionId>'}</Object>"


def _copied(data: bytes) -> dict[str, str]:
    """Return the result of a copy; raises botocore's ClientError where the body of the 200 has none."""
    try:
        root = ET.fromstring(data)  # noqa: S314  from the server that is trusted with the content itself
    except _UNREADABLE:
        raise _failed("CopyObject", _SERVER_ERROR, data) from None
    if not root.tag.endswith("CopyObjectResult"):
        raise _failed("CopyObject", _SERVER_ERROR, data)
    return {part.tag.rpartition("}")[2]: part.text or "" for part in root}


def _failed(operation: str, status: int, data: bytes) -> ClientError:
    """Return the ClientError that boto3 would raise for a server's failure."""
    code = re.search(rb"<Code>([^<]*)</Code>", data)
    error: Any = {
        "Error": {"Code": code[1].decode(errors="replace") if code else str(status), "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(error, operation)


def _deleted(data: bytes) -> dict[str, Any] | None:
    """Return the answer of a bulk delete as boto3 does; None if the body is no such answer."""
    try:
        root = ET.fromstring(data)  # noqa: S314  from the server that is trusted with the content itself
    except _UNREADABLE:
        return None
    if not root.tag.endswith("DeleteResult"):
        return None
    outcomes: dict[str, Any] = {"Deleted": [], "Errors": []}
    for entry in root:
        fields: dict[str, Any] = {part.tag.rpartition("}")[2]: part.text or "" for part in entry}
        if "DeleteMarker" in fields:
            fields["DeleteMarker"] = fields["DeleteMarker"] == "true"
        kind = {"Deleted": "Deleted", "Error": "Errors"}.get(entry.tag.rpartition("}")[2])
        if kind is not None:
            outcomes[kind].append(fields)
    return outcomes
