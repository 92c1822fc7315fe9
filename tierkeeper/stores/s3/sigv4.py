"""AWS Signature Version 4 for S3, in headers: the same as ``botocore.auth.S3SigV4Auth``, at a fraction of its cost.

Source: "Create a signed AWS API request" and "Authenticating Requests: Using the Authorization Header" in the AWS
documentation; unlike other services, S3 signs the path as it is sent.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

ALGORITHM = "AWS4-HMAC-SHA256"
NOTHING = sha256(b"").hexdigest()  # of an empty body


@dataclass(slots=True)
class Signer:
    """Signs requests to one region; caches the day's key. Safe to use from many threads."""

    region: str
    _derived: tuple[tuple[str, str], bytes] = field(default=(("", ""), b""), repr=False)

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        *,
        body_sha256: str,
        access_key: str,
        secret_key: str,
        token: str | None,
        now: datetime,
    ) -> dict[str, str]:
        """Return ``headers`` with those of the signature added; all of ``headers`` are signed.

        The names of ``headers`` are in lower case and include ``host``. ``path`` and ``query`` are percent-encoded, the
        latter sorted by name with a ``=`` for each. ``body_sha256`` is hexadecimal, ``now`` in UTC. ``token`` is the
        session token of temporary credentials.
        """
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        signed = {**headers, "x-amz-content-sha256": body_sha256, "x-amz-date": stamp}
        if token:
            signed["x-amz-security-token"] = token
        names = sorted(signed)
        listed = ";".join(names)
        lines = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        request = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{body_sha256}"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(secret_key, stamp[:8]), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str, day: str) -> bytes:
        known, key = self._derived
        if known != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = ((secret, day), key)
        return key
