"""The calls that are made once per object, over a thin client of our own; everything else is boto3's.

botocore takes more than a millisecond of CPU for each call, which no number of threads helps (see decision 0010). This
client has the four calls that the engine makes by the thousand, with boto3's names, arguments and answers, and it
knows success only: whatever else comes back, or nothing, or an argument that it does not know, and the call is made
again by boto3. So retries, redirects, skewed clocks and every error are botocore's, and its repeated call after a lost
answer is what it would have been there.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import urllib3
from botocore.credentials import Credentials
from botocore.httpsession import get_cert_path

from tierkeeper.base import log as logs
from tierkeeper.stores.sigv4 import NOTHING, Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logs.get(__name__)

_OK, _NO_CONTENT = 200, 204
_SAFE = "/~"  # what botocore leaves as it is in a key
_META = "x-amz-meta-"
_HEADERS = {
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ContentType": "content-type",
    "IfNoneMatch": "if-none-match",
    "MetadataDirective": "x-amz-metadata-directive",
    "StorageClass": "x-amz-storage-class",
}
_ANSWERED = {
    "x-amz-version-id": "VersionId",
    "x-amz-checksum-sha256": "ChecksumSHA256",
    "x-amz-checksum-type": "ChecksumType",
    "etag": "ETag",
}
_KNOWN = {*_HEADERS, "Body", "Bucket", "ChecksumAlgorithm", "ContentLength", "CopySource", "Key", "Metadata", "VersionId"}


class HotCalls(Protocol):
    """The calls of boto3's client that are made once per object; it has them itself."""

    def put_object(self, **arguments: Any) -> Any:  # noqa: ANN401  boto3's arguments and answers, here and below
        """Write an object."""

    def copy_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Copy an object on the server's side."""

    def head_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Say what is there."""

    def delete_objects(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Delete many."""


class SignedClient:
    """The hot calls. Safe to use from many threads; connections are kept and shared."""

    def __init__(
        self,
        client: "S3Client",
        credentials: Credentials,
        *,
        virtual: bool,
        ca_bundle: str | None,
        connections: int,
    ) -> None:
        """``virtual``: the bucket goes into the host's name; ``ca_bundle``: None for botocore's own."""
        self._client, self._credentials, self._virtual = client, credentials, virtual
        config, url = client.meta.config, urlsplit(client.meta.endpoint_url)
        self._secure = url.scheme == "https"
        self._host, self._base = url.netloc, url.path.rstrip("/")
        self._signer = Signer(client.meta.region_name)
        tls = {"cert_reqs": "CERT_REQUIRED", "ca_certs": ca_bundle or get_cert_path(True)} if self._secure else {}
        self._pools = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout),
            **tls,
        )
        self._warned = False

    def close(self) -> None:
        """Close the connections."""
        self._pools.clear()

    def put_object(self, **arguments: Any) -> Any:  # noqa: ANN401  boto3's arguments and answers, here and below
        """Write an object whose bytes and SHA-256 are given."""
        body, checksum = arguments.get("Body"), arguments.get("ChecksumSHA256")
        if not isinstance(body, bytes) or checksum is None or not arguments.keys() <= _KNOWN:
            return self._client.put_object(**arguments)
        headers = {"x-amz-sdk-checksum-algorithm": "SHA256", **_headers(arguments)}
        answer = self._call("PUT", arguments, headers, body=body, sha256=base64.b64decode(checksum).hex())
        return self._client.put_object(**arguments) if answer is None else _fields(answer)

    def copy_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Copy an object on the server's side; the server says 200 before it knows whether it can."""
        if not arguments.keys() <= _KNOWN:
            return self._client.copy_object(**arguments)
        source = arguments["CopySource"]
        origin = quote(f"{source['Bucket']}/{source['Key']}", safe=_SAFE)
        version = f"?versionId={quote(source['VersionId'], safe='')}" if "VersionId" in source else ""
        headers = {"x-amz-copy-source": origin + version, **_headers(arguments)}
        if "ChecksumAlgorithm" in arguments:
            headers["x-amz-checksum-algorithm"] = arguments["ChecksumAlgorithm"]
        answer = self._call("PUT", arguments, headers)
        if answer is None or b"CopyObjectResult" not in answer.data or b"<Error>" in answer.data:
            return self._client.copy_object(**arguments)
        return _fields(answer)

    def head_object(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Say what is there."""
        if not arguments.keys() <= _KNOWN:
            return self._client.head_object(**arguments)
        answer = self._call("HEAD", arguments, _headers(arguments))
        if answer is None or not {"content-length", "last-modified"} <= {name.lower() for name in answer.headers}:
            return self._client.head_object(**arguments)
        metadata = {name[len(_META) :]: value for name, value in answer.headers.items() if name.startswith(_META)}
        return {
            **_fields(answer),
            "ContentLength": int(answer.headers["content-length"]),
            "LastModified": parsedate_to_datetime(answer.headers["last-modified"]),
            "Metadata": metadata,
        }

    def delete_objects(self, **arguments: Any) -> Any:  # noqa: ANN401  as above
        """Delete up to 1000 keys; the answer tells of each."""
        if arguments.keys() != {"Bucket", "Delete"} or arguments["Delete"].keys() != {"Objects"}:
            return self._client.delete_objects(**arguments)
        listed = "".join(_object(each) for each in arguments["Delete"]["Objects"])
        body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listed}</Delete>'.encode()
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        headers = {"content-md5": md5, "content-type": "application/xml"}
        sha256 = hashlib.sha256(body).hexdigest()
        answer = self._call("POST", arguments, headers, query="delete=", body=body, sha256=sha256)
        found = None if answer is None else _deleted(answer.data)
        return self._client.delete_objects(**arguments) if found is None else found

    def _call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        headers: dict[str, str],
        *,
        query: str = "",
        body: bytes = b"",
        sha256: str = NOTHING,
    ) -> urllib3.BaseHTTPResponse | None:
        """Return the answer if it is success; None if boto3 must be asked."""
        bucket, key = arguments["Bucket"], arguments.get("Key", "")
        host = f"{bucket}.{self._host}" if self._virtual else self._host
        path = f"{self._base}/{quote(key if self._virtual else f'{bucket}/{key}' if key else bucket, safe=_SAFE)}"
        if method == "HEAD" and "VersionId" in arguments:
            query = f"versionId={quote(arguments['VersionId'], safe='-_.~')}"
        if not all(value.isascii() for value in headers.values()):
            return None
        headers["host"] = host
        if method != "HEAD":
            headers["content-length"] = str(len(body))
        signed = self._signer.sign(
            method,
            path,
            query,
            headers,
            body_sha256=sha256,
            credentials=self._credentials.get_frozen_credentials(),
            now=datetime.now(UTC),
        )
        signed["user-agent"] = "tierkeeper"
        pool = self._pools.connection_from_host(*_port(host, secure=self._secure))
        try:
            answer = pool.urlopen(method, f"{path}?{query}" if query else path, body=body, headers=signed)
        except (urllib3.exceptions.HTTPError, OSError):
            return None
        if answer.status in {_OK, _NO_CONTENT}:
            return answer
        self._refused(method, answer.status)
        return None
