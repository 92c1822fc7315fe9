import base64
import hashlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import redis
from support import ports

from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import (
    ACTOR_HEADER,
    CORRELATION_HEADER,
    ArtifactRef,
    SourceContent,
    StagedContent,
    StoreArgs,
    TaskName,
)
from tierkeeper_client.errors import (
    BrokerUnavailable,
    InvalidInput,
    InvalidName,
    OversizedContent,
    ResultPending,
    ResultUnavailable,
    TaskFailed,
)

REF = ArtifactRef(tenant="acme", workflow="weekly", name="2026/47.md")
NAMES = REF.model_dump(exclude={"version"})


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never answers."""
    with ports.silent() as port:
        yield port


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port whose server takes no connection any more: who connects hears nothing at all."""
    with ports.black_hole() as port:
        yield port


@pytest.fixture
def client(valkey_url: str, tmp_path: Path) -> Iterator[TierkeeperClient]:
    """A producer whose limit for inline content is ten bytes."""
    staging = tmp_path / "staging"
    staging.mkdir()
    with TierkeeperClient(valkey_url, valkey_url, staging.as_uri(), inline_limit=10, actor="reporting") as client:
        yield client


def sent(url: str, queue: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The (headers, keyword arguments) of the messages in ``queue``, oldest first."""
    with redis.Redis(unix_socket_path=urlsplit(url).path) as connection:
        raw = [json.loads(item) for item in reversed(connection.lrange(queue, 0, -1))]
    return [(item["headers"], json.loads(base64.b64decode(item["body"]))[1]) for item in raw]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("broker", ["refused", "silent", "black hole"])
def test_without_a_broker_the_producer_hears_it_soon(
    scheme: str, broker: str, silent_port: int, black_hole: int
) -> None:
    """A broker that is away, accepts and never answers, or not even that, is BrokerUnavailable within ten seconds."""
    port = {"refused": 1, "silent": silent_port, "black hole": black_hole}[broker]
    with TierkeeperClient(f"{scheme}://127.0.0.1:{port}//") as client:
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            client.purge(REF)
        assert time.monotonic() - began < 10


def test_small_content_travels_in_the_message(client: TierkeeperClient, valkey_url: str, tmp_path: Path) -> None:
    """Bytes, files and streams up to the limit are inline, and nothing is staged."""
    (tmp_path / "file").write_bytes(b"0123456789")
    for content in (b"0123456789", tmp_path / "file", BytesIO(b"0123456789")):
        client.store(content, **NAMES)
    for _headers, arguments in sent(valkey_url, "ingest"):
        assert arguments["content"] == {"kind": "inline", "data": base64.b64encode(b"0123456789").decode()}
        assert arguments["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    assert not list((tmp_path / "staging").iterdir())


def test_larger_content_is_staged(client: TierkeeperClient, valkey_url: str, tmp_path: Path) -> None:
    """One byte more is staged: the message names the file, which has every byte."""
    (tmp_path / "file").write_bytes(b"0123456789a")
    for content in (b"0123456789a", tmp_path / "file", BytesIO(b"0123456789a")):
        client.store(content, **NAMES)
    for _headers, arguments in sent(valkey_url, "ingest"):
        assert arguments["content"]["kind"] == "staged"
        assert (tmp_path / "staging" / arguments["content"]["name"]).read_bytes() == b"0123456789a"
        assert arguments["sha256"] == hashlib.sha256(b"0123456789a").hexdigest()


def test_content_is_staged_into_s3(valkey_url: str, s3_endpoint: str) -> None:
    """With an S3 staging area a large stream becomes one object below its prefix."""
    s3 = boto3.client("s3", endpoint_url=s3_endpoint)
    s3.create_bucket(Bucket="staging")
    content = bytes(range(256)) * 50_000  # 12.8 MB: in parts
    with TierkeeperClient(valkey_url, staging_url=f"s3://staging/in?endpoint={s3_endpoint}") as client:
        staged = client.content(BytesIO(content))
    assert isinstance(staged, StagedContent)
    listed = s3.list_objects_v2(Bucket="staging")["Contents"]
    assert [item["Key"] for item in listed] == [f"in/{staged.name}"]
    assert s3.get_object(Bucket="staging", Key=f"in/{staged.name}")["Body"].read() == content


def test_a_source_is_only_named(client: TierkeeperClient) -> None:
    """A URL is left for the worker to fetch."""
    assert client.content("s3://bucket/key") == SourceContent(url="s3://bucket/key")


def test_without_staging_large_content_is_refused(valkey_url: str) -> None:
    """Content over the limit with nowhere to stage it is an error that says what to do; nothing is sent."""
    with TierkeeperClient(valkey_url, inline_limit=10) as client, pytest.raises(OversizedContent, match="staging_url="):
        client.store(b"x" * 11, **NAMES)
    assert not sent(valkey_url, "ingest")


def test_a_refused_name_stages_and_sends_nothing(client: TierkeeperClient, valkey_url: str, tmp_path: Path) -> None:
    """Bad arguments are found before anything is done."""
    with pytest.raises(InvalidName):
        client.store(b"x" * 100, tenant="acme", workflow="weekly", name="../47.md")
    with pytest.raises(InvalidInput):
        client.store(b"x" * 100, **NAMES, created=datetime(2026, 1, 1))  # noqa: DTZ001  that is the point
    assert not sent(valkey_url, "ingest")
    assert not list((tmp_path / "staging").iterdir())


def test_headers_and_keys(client: TierkeeperClient, valkey_url: str) -> None:
    """The key becomes the task id; correlation and actor are headers; content never stands in the headers."""
    assert client.store(b"secret", **NAMES, key="weekly-47", correlation="request-1").id == "weekly-47"
    [(headers, _)] = sent(valkey_url, "ingest")
    assert (headers["id"], headers["task"]) == ("weekly-47", "tierkeeper.store")
    assert (headers[CORRELATION_HEADER], headers[ACTOR_HEADER]) == ("request-1", "reporting")
    assert base64.b64encode(b"secret").decode() not in json.dumps(headers)


def test_every_method_sends_its_task(client: TierkeeperClient, valkey_url: str) -> None:
    """Each verb goes to its queue, with what it was given and nothing else."""
    client.promote(REF, to_tier="cold", reason="old")
    client.archive(REF.model_copy(update={"version": 2}))
    client.restore(REF, days=1.5)
    client.purge(REF, all_versions=True)
    client.undelete(REF)
    one = {**NAMES, "all_versions": False}
    assert [(headers["task"], arguments) for headers, arguments in sent(valkey_url, "verbs")] == [
        (TaskName.PROMOTE, {**one, "to_tier": "cold", "reason": "old"}),
        (TaskName.ARCHIVE, {**one, "version": 2}),
        (TaskName.RESTORE, {**one, "days": 1.5}),
        (TaskName.PURGE, {**one, "all_versions": True}),
        (TaskName.UNDELETE, one),
    ]


def test_store_many_is_one_message(client: TierkeeperClient, valkey_url: str) -> None:
    """Many small artifacts travel together; none, or too many, are refused."""
    item = StoreArgs(**NAMES, content=client.content(b"x"))
    client.store_many([item, item])
    [(headers, arguments)] = sent(valkey_url, "ingest")
    assert (headers["task"], len(arguments["items"])) == (TaskName.STORE_MANY, 2)
    for items in ([], [item] * 1001):
        with pytest.raises(InvalidInput):
            client.store_many(items)


def test_a_result_that_does_not_come(client: TierkeeperClient) -> None:
    """Without a worker the state is PENDING, and waiting ends when it should."""
    handle = client.archive(REF)
    assert handle.state == "PENDING"
    with pytest.raises(ResultPending):
        handle.get(timeout=0.1)


def test_a_result_that_is_none_is_that_of_its_own_task(client: TierkeeperClient, valkey_url: str) -> None:
    """Bytes that cannot be decoded in its place are no sign that the result store is away."""
    handle = client.archive(REF)
    with redis.Redis(unix_socket_path=urlsplit(valkey_url).path) as connection:
        connection.set(f"celery-task-meta-{handle.id}", b"{not json")
    with pytest.raises(TaskFailed, match="its result cannot be read"):
        handle.get(timeout=1)


def test_a_result_store_that_is_away(valkey_url: str, silent_port: int) -> None:
    """Sending needs no result store; reading from one that is away is an error of its own."""
    with TierkeeperClient(valkey_url, "redis://127.0.0.1:1/0") as client:
        handle = client.archive(REF)
        with pytest.raises(ResultUnavailable):
            handle.get(timeout=1)
    with TierkeeperClient(valkey_url) as client, pytest.raises(ResultUnavailable, match="no result_url"):
        client.archive(REF).get()
    assert [headers["ignore_result"] for headers, _ in sent(valkey_url, "verbs")] == [None, True]
