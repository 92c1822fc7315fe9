"""While stores are away work is queued, in the catalog, and drains when they are back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from tierkeeper.base import callers
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.parking import StuckFilter, StuckState
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import ArtifactRef, StoreArgs, TaskName
from tierkeeper_client.errors import ResultPending

NAMES: dict[str, Any] = {"tenant": "away", "workflow": "weekly"}
IMPATIENT = {"app": "integration.tasks.poisoned", "TEST_IMPATIENT": "yes"}


@contextmanager
def away(installation: Installation) -> Iterator[None]:
    """Every tier is away, as when nothing is mounted there."""
    folders = [Path(urlsplit(tier.url).path) for tier in installation.settings.tiers.values() if "file:" in tier.url]
    for folder in folders:
        folder.rename(folder.with_name(folder.name + ".away"))
    try:
        yield
    finally:
        for folder in folders:
            folder.with_name(folder.name + ".away").rename(folder)


def waiting(installation: Installation) -> list[str]:
    """The names of what waits in the catalog."""
    return [str(one.ref) for one in installation.keeper.parked.select(StuckFilter(state=StuckState.WAITING))]


@pytest.mark.row("C12")
@pytest.mark.row("D6", "degrade while every tier is away")
def test_stores_wait_in_the_catalog_and_drain(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """With every tier away stores and verbs are queued, and nothing is lost; with the tiers back all is done."""
    start("patient", "-c", "2", **IMPATIENT)
    ref = ArtifactRef(**NAMES, name="there")
    client.store(b"there", **NAMES, name="there").get()
    large = BytesIO(bytes(300_000))
    with away(installation):
        handles = [client.store(b"%d" % n, **NAMES, name=f"one-{n}", key=f"one-{n}") for n in range(5)]
        handles.append(client.store(large, **NAMES, name="large", key="large"))
        items = [StoreArgs(**NAMES, name=f"many-{n}", content=client.content(b"many %d" % n)) for n in range(3)]
        handles.append(client.store_many(items, key="many"))
        (promoted,) = client.promote(ref, to_tier="warm").get()["results"]
        assert (promoted["wanted"], promoted["present"]) == (["warm"], [])
        wait_until(lambda: len(waiting(installation)) == 7)
        # staged content that a waiting message needs outlives its time
        installation.sql(
            "INSERT INTO staging (name, state, expires_at) SELECT unnest(staged), 'adopted', now() FROM"
            " deliveries WHERE key = 'large'"
        )
        installation.keeper.sweeps.maintain(caller=callers.BEAT)
        with pytest.raises(ResultPending):
            handles[0].get(timeout=0)
        assert not installation.keeper.artifacts.count(Filter(tenant="away", prefix="one"))
        assert client.purge(ArtifactRef(**NAMES, name="there"), key="purged").get()["results"][0]["state"] == "deleted"
    installation.sql("UPDATE deliveries SET due_at = now() WHERE due_at IS NOT NULL")
    installation.sql("UPDATE schedule SET due_at = now() WHERE due_at < now() + interval '1 hour'")
    client.send(TaskName.REDELIVER)
    assert {
        handle.get()["results"][0]["outcome"] if i == 6 else handle.get()["outcome"] for i, handle in enumerate(handles)
    } == {"stored"}
    assert installation.read("away", "weekly", "large") == bytes(300_000)
    assert installation.keeper.artifacts.count(Filter(tenant="away", prefix="many-")) == 3
    wait_until(lambda: not waiting(installation))
    told = [event.type for event in installation.keeper.events.select(tenant="away") if event.name == "one-0"]
    assert sorted(told) == ["delivery waits", "stored"]


def test_a_store_of_bytes_in_a_tier_that_is_away_waits_too(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """Known bytes, under the same name or another, get no answer by the catalog's word; with the tiers back they do."""
    start("waiting", "-c", "2", **IMPATIENT)
    client.store(b"known", **NAMES, name="known").get()
    with away(installation):
        handles = [client.store(b"known", **NAMES, name=name, key=f"again-{name}") for name in ("known", "other")]
        wait_until(lambda: len(waiting(installation)) == len(handles))
        for handle in handles:
            with pytest.raises(ResultPending):
                handle.get(timeout=0)
        assert not installation.keeper.artifacts.count(Filter(tenant="away", prefix="other"))
    installation.sql("UPDATE deliveries SET due_at = now() WHERE due_at IS NOT NULL")
    client.send(TaskName.REDELIVER)
    assert [handle.get()["outcome"] for handle in handles] == ["unchanged", "deduplicated"]
    wait_until(lambda: not waiting(installation))
