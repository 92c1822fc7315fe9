"""The options of an S3 tier, from its URL and settings, and the clients that are created from them."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, CredentialProvider, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader
from botocore.utils import get_environ_proxies, is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from tierkeeper.settings import order
from tierkeeper.stores.base import StoreConfig
from tierkeeper.stores.errors import BadTierUrl
from tierkeeper.stores.options import Options
from tierkeeper.stores.s3 import errors
from tierkeeper.stores.s3.attempts import botocore_attempt_ended
from tierkeeper.stores.s3.signed import HotCalls, SignedClient
from tierkeeper_client import receiving_s3, urls

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
GIB = 1024 * MIB
LEAST_PART = 5 * MIB  # S3's limit for every part but the last
MOST_PARTS = 10_000  # S3's limit
MOST_COPY = 5 * GIB  # S3's limit for one CopyObject
_BUCKET = re.compile(r"[a-zA-Z0-9._-]{1,255}")  # names that botocore accepts; AWS is stricter for new buckets
_SPARE_CONNECTIONS = 8  # for parts of large objects, beside the engine's calls


@dataclass(frozen=True, slots=True)
class S3Options:
    """The options of an S3 tier; times in seconds, sizes in bytes."""

    bucket: str
    prefix: str  # empty, or ending in "/"
    endpoint: str | None
    region: str | None
    storage_class: str | None
    profile: str | None
    role: str | None
    addressing: Literal["auto", "path", "virtual"]
    checksums: Literal["when_required", "when_supported"]
    client: Literal["signed", "boto3"]  # for the calls that are made once per object
    access_key: str | None
    secret_key: str | None
    session_token: str | None
    multipart_threshold: int
    multipart_chunk: int
    copy_threshold: int
    concurrency: int  # parts in flight over all objects; bounds the memory for their chunks
    connect_timeout: float
    read_timeout: float
    attempts: int  # per call, with botocore's backoff between them
    readable: bool
    lock: bool | None  # True: the bucket must have Object Lock; None: ask the bucket
    thaw_days: int
    thaw_tier: Literal["Standard", "Bulk", "Expedited"]

    def copy_seconds(self, size: int) -> float:
        """Return how many seconds a copy of ``size`` bytes may take on the server."""
        return order.copy_seconds(size, read_timeout=self.read_timeout)

    @property
    def realm(self) -> str:
        """What two tiers must have in common for a server-side copy: the server and the credentials."""
        who = self.access_key or "chain"
        return "|".join(["s3:", self.endpoint or "aws", who, self.profile or "", self.role or ""])


def parse(config: StoreConfig) -> S3Options:
    """Read ``s3://bucket/prefix`` and its options; raises BadTierUrl."""
    options = Options(config)
    place = urls.parse(config.url)
    if not place.host or "@" in place.host or ":" in place.host:
        fix = "Write s3://bucket/prefix?endpoint=…; credentials go into options or the usual AWS places."
        raise options.bad("it needs a bucket, and nothing else before the path.", fix)
    if not _BUCKET.fullmatch(place.host):
        fix = "Write letters, digits, dots, hyphens (in AWS 3 to 63, lower case; some servers take underscores)."
        raise options.bad(f"{place.host!r} can be no bucket.", fix)
    endpoint = options.text("endpoint")
    if endpoint is not None and not _is_endpoint(endpoint):
        raise options.bad(f"option endpoint is {endpoint!r}.", "Write it like https://s3.example.org:9000.")
    prefix = place.path.strip("/")
    parsed = S3Options(
        bucket=place.host,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=endpoint,
        region=options.text("region"),
        storage_class=options.text("class"),
        profile=options.text("profile"),
        role=options.text("role"),
        addressing=options.choice("addressing", "path", "virtual") or ("path" if endpoint else "auto"),
        checksums=options.choice("checksums", "when_required", "when_supported")
        or ("when_required" if endpoint else "when_supported"),
        client=options.choice("client", "signed", "boto3") or ("signed" if endpoint else "boto3"),
        access_key=options.text("access_key"),
        secret_key=options.text("secret_key"),
        session_token=options.text("session_token"),
        multipart_threshold=options.size("multipart_threshold", default=16 * MIB, least=LEAST_PART, most=5 * GIB),
        multipart_chunk=options.size("multipart_chunk", default=8 * MIB, least=LEAST_PART, most=GIB),
        copy_threshold=options.size("copy_threshold", default=order.COPY_THRESHOLD, least=LEAST_PART, most=MOST_COPY),
        concurrency=options.number("concurrency", default=4, most=64),
        connect_timeout=options.seconds("connect_timeout", default=5),
        read_timeout=options.seconds("read_timeout", default=30),
        attempts=options.number("attempts", default=order.ATTEMPTS, most=20),
        readable=options.choice("layout", "cas", "readable") == "readable",
        lock=options.flag("lock"),
        thaw_days=options.number("thaw_days", default=1),
        thaw_tier=options.choice("thaw_tier", "Standard", "Bulk", "Expedited") or "Standard",
    )
    options.finish()
    if (parsed.access_key is None) != (parsed.secret_key is None):
        raise options.bad("one of access_key and secret_key is missing.", "Give both, or neither for the AWS chain.")
    if parsed.access_key and parsed.profile:
        raise options.bad("profile and access_key contradict each other.", "Give one of them.")
    return parsed


def judge(config: StoreConfig) -> None:
    """Raise BadTierUrl for what :func:`parse` refuses, and for a profile that no configuration of AWS here has."""
    try:
        botocore.session.Session(profile=parse(config).profile).get_scoped_config()
    except BotoCoreError as error:
        raise _refused(config, error) from error


def _refused(config: StoreConfig, error: Exception) -> BadTierUrl:
    return Options(config).bad(f"{error}.".replace("..", "."), "Correct its options.")


def _is_endpoint(text: str) -> bool:
    """Return True for a URL that the AWS client takes: http or https, a host name or an IP address, a port from 1."""
    try:
        parts = urlsplit(text)
        port = 1 if parts.port is None else parts.port
    except ValueError:  # unpaired brackets; a port that is none
        return False
    place = is_valid_endpoint_url(text) or is_valid_ipv6_endpoint_url(text)
    return parts.scheme in {"http", "https"} and port > 0 and place


@dataclass(frozen=True, slots=True)
class Clients:
    """A client with finite time-outs and retries, and ``hot``, the client for the calls made once per object.

    ``once`` creates a client that waits for the given seconds and makes one attempt.
    """

    client: "S3Client"
    hot: HotCalls
    once: Callable[[float], "S3Client"]


def make(options: S3Options, config: StoreConfig) -> Clients:
    """Return the clients of a tier, not connected yet. Raises BadTierUrl."""
    try:
        core = botocore.session.Session(profile=options.profile)
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        core.register_component("response_parser_factory", errors.Parsers())
        if options.role is not None:
            _assume(core, options, options.role)
        session = boto3.Session(
            botocore_session=core,
            region_name=options.region,
            **(_Keys() if options.role else _keys(options)),  # a role's credentials come from its provider
        )

        def connected(*, seconds: float, attempts: int) -> "S3Client":
            client = session.client(
                "s3",
                endpoint_url=options.endpoint,
                region_name=session.region_name or "us-east-1",
                config=_config(options, config, seconds=seconds, attempts=attempts),
            )
            receiving_s3.bound(client)
            client.meta.events.register("needs-retry.s3", botocore_attempt_ended)
            client.meta.events.register_first("needs-retry.s3.HeadBucket", errors.end_redirects)
            return client

        client = connected(seconds=options.read_timeout, attempts=options.attempts)
        hot = _hot(options, config, client, core)
        return Clients(client, hot, lambda seconds: connected(seconds=seconds, attempts=1))
    except (BotoCoreError, ValueError) as error:
        raise _refused(config, error) from error


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """Return the loader of botocore's service description of S3; shared by all tiers, as each takes ten megabytes."""
    return create_loader(data_path)


def _hot(options: S3Options, config: StoreConfig, client: "S3Client", core: botocore.session.Session) -> HotCalls:
    credentials = core.get_credentials()
    # boto3 handles proxies, and reports missing credentials
    if options.client == "boto3" or credentials is None or get_environ_proxies(client.meta.endpoint_url):
        return cast("HotCalls", client)  # its stubs are narrower than the protocol
    return SignedClient(
        client,
        credentials,
        options.bucket,
        virtual=options.addressing == "virtual" or (options.addressing == "auto" and "." not in options.bucket),
        connections=config.io_threads + _SPARE_CONNECTIONS,
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        ca_bundle=core.get_config_variable("ca_bundle"),
    )


def _config(options: S3Options, config: StoreConfig, *, seconds: float, attempts: int) -> Config:
    return Config(
        connect_timeout=options.connect_timeout,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=config.io_threads + _SPARE_CONNECTIONS,
        request_checksum_calculation=options.checksums,
        response_checksum_validation=options.checksums,
        s3={"addressing_style": options.addressing},
        user_agent_extra="tierkeeper",
    )


class _Keys(TypedDict, total=False):
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None


def _keys(options: S3Options) -> _Keys:
    return {
        "aws_access_key_id": options.access_key,
        "aws_secret_access_key": options.secret_key,
        "aws_session_token": options.session_token,
    }


class _RoleProvider(CredentialProvider):
    """Credentials of an assumed role, renewed before they expire."""

    METHOD = "tierkeeper-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        """Return the credentials; the first call to STS comes with their first use."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def _assume(core: botocore.session.Session, options: S3Options, role: str) -> None:
    """Make ``core`` assume the role, with source credentials from the options or the usual AWS chain."""
    source = boto3.Session(profile_name=options.profile, region_name=options.region, **_keys(options))
    credentials = source.get_credentials()
    if credentials is None:
        msg = f"there are no credentials to assume role {role} with"
        raise ValueError(msg)

    def connected(service: str, **keys: str | None) -> "BaseClient":
        config = Config(
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            retries={"mode": "standard", "total_max_attempts": options.attempts},
        )
        client: BaseClient = cast("Any", source).client(service, config=config, **keys)
        receiving_s3.bound(client)
        return client

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=connected,
        source_credentials=credentials,
        role_arn=role,
        extra_args={"RoleSessionName": "tierkeeper"},
    )
    core.get_component("credential_provider").providers.insert(0, _RoleProvider(fetcher))
