"""Signatures are those that botocore makes."""

from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tierkeeper.stores.s3.sigv4 import NOTHING, Signer

REGION = "eu-test-1"
HOST = "s3.example.org:9000"

names = st.text(st.sampled_from("abcxyz0189-"), min_size=1, max_size=12).map(lambda name: f"x-amz-meta-{name}")
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)
queries = st.dictionaries(st.sampled_from(["versionId", "delete", "uploads", "partNumber"]), st.text(max_size=20))
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


class Oracle(S3SigV4Auth):
    """botocore's signer, told of a content that is not there by its SHA-256."""

    def __init__(self, credentials: Credentials, sha256: str) -> None:
        super().__init__(credentials, "s3", REGION)
        self._sha256 = sha256

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002  as botocore calls it
        return self._sha256


def by_botocore(
    method: str, path: str, query: str, headers: dict[str, str], sha256: str, who: Credentials
) -> dict[str, str]:
    """The headers of the request as botocore signs it, in small letters."""
    url = f"http://{HOST}{path}{'?' if query else ''}{query}"
    request = AWSRequest(method=method, url=url, headers=headers)
    Oracle(who, sha256).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    method=st.sampled_from(["PUT", "HEAD", "POST", "GET", "DELETE"]),
    key=paths,
    query=queries,
    headers=st.dictionaries(names, values, max_size=6),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex) | st.just(NOTHING),
    secret=secrets,
    token=st.none() | secrets,
)
def test_the_oracle(
    method: str, key: str, query: dict[str, str], headers: dict[str, str], sha256: str, secret: str, token: str | None
) -> None:
    """For any path, query, headers, content and credentials the authorization is botocore's, to the letter."""
    path = f"/bucket/{quote(key, safe='/~')}"
    asked = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))
    expected = by_botocore(method, path, asked, headers, sha256, Credentials("AKID", secret, token))
    signed = Signer(REGION).sign(
        method,
        path,
        asked,
        {**headers, "host": HOST},
        body_sha256=sha256,
        access_key="AKID",
        secret_key=secret,
        token=token,
        now=datetime.strptime(expected["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    assert signed["authorization"] == expected["authorization"]
    assert signed.get("x-amz-security-token") == expected.get("x-amz-security-token")


def test_the_key_follows_day_and_secret() -> None:
    """One signer serves credentials that are replaced and days that end."""
    signer = Signer(REGION)
    moments = [datetime(2026, 11, day, 23, 59, 59, tzinfo=UTC) for day in (20, 21)]

    def sign(with_: Signer, moment: datetime, secret: str) -> str:
        signed = with_.sign(
            "GET",
            "/",
            "",
            {"host": HOST},
            body_sha256=NOTHING,
            access_key="a",
            secret_key=secret,
            token=None,
            now=moment,
        )
        return signed["authorization"]

    seen = [sign(signer, moment, secret) for moment in moments for secret in ("one", "two")]
    fresh = [sign(Signer(REGION), moment, secret) for moment in moments for secret in ("one", "two")]
    assert seen == fresh
    assert len(set(seen)) == len(seen)
