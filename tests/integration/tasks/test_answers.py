"""Answers that are not final: sent again under its key, a message whose cause is gone is carried out, and answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.tasks.installation import Installation, wait_until
from support.error_classes import KINDS

from tierkeeper.base.errors import SourceRefused
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import ArtifactRef, StoreArgs
from tierkeeper_client.errors import ResultPending, TaskFailed, TaskRefused, TierkeeperError
from tierkeeper_client.handle import Handle

NAMES: dict[str, Any] = {"tenant": "acme", "workflow": "again"}
ERRORS: dict[str, type[TierkeeperError]] = {kind.__name__: kind for kind in KINDS} | {"defect": TaskFailed}


@pytest.fixture(scope="module")
def refused(
    installation: Installation, client: TierkeeperClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Handle]]:
    """The first messages, by the error that each met; every cause is gone by now, and a worker is at work."""
    process = installation.worker(
        "refusing", "-c", "2", "-Q", "ingest", folder=tmp_path_factory.mktemp("w"), app="integration.tasks.refusing"
    )
    handles = {name: store(client, name) for name in ERRORS}
    kept = {name for name, kind in ERRORS.items() if kind.retryable}
    wait_until(lambda: kept <= {row.key for row in installation.sql("SELECT key FROM deliveries")})
    for name in ERRORS.keys() - kept:
        wait_until(lambda handle=handles[name]: handle.state in {"SUCCESS", "FAILURE"})  # type: ignore[misc]
    (Path(installation.settings.home) / "cured").touch()
    yield handles
    process.stop()


def store(client: TierkeeperClient, name: str) -> Handle:
    """Send a store under its name as the key."""
    return client.store(b"x", **NAMES, name=name, key=name)


@pytest.mark.parametrize("name", ERRORS)
def test_no_error_is_a_final_answer(refused: dict[str, Handle], client: TierkeeperClient, name: str) -> None:
    """Refused, cured, sent again under the same key: it is stored, and its handle gets that answer and no other."""
    first, kind = refused[name], ERRORS[name]
    if not kind.retryable:
        with pytest.raises(TierkeeperError) as error:
            first.get(timeout=20)
        assert type(error.value) is kind or kind is TaskRefused
        assert "final" not in error.value.data
    again = store(client, name)
    assert again.get(timeout=20)["outcome"] in {"stored", "deduplicated"}
    assert store(client, name).get(timeout=20)["ref"]["version"] == 1
    assert first.get(timeout=20)["ref"]["name"] == name


def test_a_final_answer_stays(refused: dict[str, Handle], client: TierkeeperClient) -> None:
    """What was stored is answered again and again, also to a message that uses its key for something else."""
    stored = store(client, "final").get(timeout=20)
    other = client.store(b"other", **NAMES, name="final", key="final")
    after = store(client, "after")
    assert after.get(timeout=20)["outcome"] in {"stored", "deduplicated"}
    assert other.get(timeout=20) == stored


def test_a_failed_item_leaves_its_batch_open(
    refused: dict[str, Handle], client: TierkeeperClient, installation: Installation, tmp_path: Path
) -> None:
    """A batch with an item that failed is answered again when it is sent again with its key; a whole one is final."""
    items = [
        StoreArgs(**NAMES, name="inline", content=client.content(b"inline")),
        StoreArgs(**NAMES, name="staged", content=client.content(b"x" * 100_000)),
    ]
    folder = Path(str(installation.settings.staging.url).removeprefix("file://"))
    staged = folder / items[1].content.model_dump()["name"]
    aside = staged.rename(tmp_path / "aside")
    first = client.store_many(items, key="batch").get(timeout=20)
    assert [result.get("outcome", "failed") for result in first["results"]] == ["stored", "failed"]
    assert first["final"] is False
    aside.rename(staged)
    second = client.store_many(items, key="batch").get(timeout=20)
    assert [result["outcome"] for result in second["results"]] == ["stored", "stored"]
    assert "final" not in second


def test_a_handle_waits_for_the_answer_to_its_own_message(refused: dict[str, Handle], client: TierkeeperClient) -> None:
    """While the second message waits for a worker its handle is pending: the refusal answers the first one only."""
    first = client.store("file:///nowhere", **NAMES, name="waits", key="waits")
    with pytest.raises(SourceRefused):
        first.get(timeout=20)
    second = client.archive(ArtifactRef(**NAMES, name="waits"), key="waits")  # no worker serves its queue
    assert second.state == "PENDING"
    with pytest.raises(ResultPending):
        second.get(timeout=0.2)
    third = client.store("file:///nowhere", **NAMES, name="waits", key="waits")
    for answered in (third, first):  # the first one's answer was replaced by one that is as good
        with pytest.raises(SourceRefused):
            answered.get(timeout=20)
