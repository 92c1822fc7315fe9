"""A bare S3 client, for the limits: SigV4 over persistent connections, nothing else. Not a client for real use."""

import base64
import datetime as dt
import hashlib
import hmac
import http.client
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

REGION = "us-east-1"
_NOTHING = hashlib.sha256(b"").hexdigest()
BULK = 1000  # keys of one DeleteObjects


@dataclass(frozen=True, slots=True)
class Access:
    """The server's endpoint and the credentials."""

    endpoint: str
    access_key: str
    secret_key: str

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.endpoint).netloc


@dataclass(slots=True)
class Bare:
    """S3 calls, each on a connection of its thread; a status other than the expected raises AssertionError."""

    access: Access
    _local: threading.local = field(default_factory=threading.local)
    _keys: dict[str, bytes] = field(default_factory=dict)

    def make_bucket(self, bucket: str) -> None:
        """Make a bucket."""
        self._call("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Write an object, checked by the server against its SHA-256."""
        digest = hashlib.sha256(body)
        checksum = base64.b64encode(digest.digest()).decode()
        about = {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256", **(headers or {})}
        self._call("PUT", f"/{bucket}/{quote(key)}", about, body=body, sha256=digest.hexdigest())

    def copy(self, bucket: str, key: str, source: str, headers: Mapping[str, str] | None = None) -> None:
        """Copy an object on the server's side."""
        about = {"x-amz-copy-source": quote(source), "x-amz-checksum-algorithm": "SHA256", **(headers or {})}
        self._call("PUT", f"/{bucket}/{quote(key)}", about)

    def head(self, bucket: str, key: str) -> tuple[int, str | None]:
        """Return the size of an object and the SHA-256 that the server has of it."""
        answer = self._call("HEAD", f"/{bucket}/{quote(key)}", {"x-amz-checksum-mode": "ENABLED"})
        return int(answer.headers["content-length"]), answer.headers["x-amz-checksum-sha256"]

    def delete_many(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete up to 1000 objects with one call."""
        listed = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete>{listed}</Delete>".encode()
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        sha256 = hashlib.sha256(body).hexdigest()
        answer = self._call("POST", f"/{bucket}", {"content-md5": md5}, query="delete=", body=body, sha256=sha256)
        deleted = answer.body.count(b"<Deleted>")
        assert deleted == len(keys), f"{deleted} of {len(keys)} deleted"

    def empty(self, bucket: str) -> None:
        """Delete everything in a bucket."""
        keys = list(self.keys(bucket))
        parts = [keys[i : i + BULK] for i in range(0, len(keys), BULK)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda part: self.delete_many(bucket, part), parts))

    def keys(self, bucket: str) -> Iterator[str]:
        """Yield the keys of a bucket; a page may be short although more follow."""
        after = ""
        while True:
            query = f"list-type=2&start-after={quote(after, safe='')}" if after else "list-type=2"
            page = self._call("GET", f"/{bucket}", query=query).body.decode()
            for after in re.findall(r"<Contents><Key>([^<]*)</Key>", page):
                yield after
            if "<IsTruncated>true</IsTruncated>" not in page:
                return

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        query: str = "",
        body: bytes = b"",
        sha256: str = _NOTHING,
    ) -> "Answer":
        signed = self._signed(method, path, query, {"content-length": str(len(body)), **(headers or {})}, sha256)
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self.access.host, timeout=60)
        connection.request(method, f"{path}?{query}" if query else path, body=body or None, headers=signed)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        assert answer.status in {200, 204}, f"{method} {path}: {answer.status} {answer.body[:300]!r}"
        assert b"<Error>" not in answer.body, f"{method} {path}: {answer.body[:300]!r}"
        return answer

    def _signed(self, method: str, path: str, query: str, headers: Mapping[str, str], sha256: str) -> dict[str, str]:
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        full = {**headers, "host": self.access.host, "x-amz-content-sha256": sha256, "x-amz-date": stamp}
        names = sorted(full)
        listed = ";".join(names)
        lines = "".join(f"{name}:{full[name]}\n" for name in names)
        canonical = hashlib.sha256(f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{sha256}".encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}"
        signature = hmac.new(self._key(stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"{self.access.access_key}/{scope}"
        full["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={listed},Signature={signature}"
        return full

    def _key(self, day: str) -> bytes:
        key = self._keys.get(day)
        if key is None:
            key = f"AWS4{self.access.secret_key}".encode()
            for part in (day, REGION, "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._keys[day] = key
        return key


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of the server."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
