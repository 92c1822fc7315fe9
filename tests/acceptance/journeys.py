"""The whole life of two artifacts, the same on every broker and every kind of tier."""

import hashlib
import random

import pytest
from support.deployment import Deployment, one

from tierkeeper.base.errors import ArtifactDeleted, ArtifactPurged
from tierkeeper.base.states import ArtifactState

UNDO_SECONDS = 8
#: with these a purge is over in seconds, and what is doomed is collected at once
QUICK = {"TIERKEEPER_ENGINE__UNDO": f"{UNDO_SECONDS}s", "TIERKEEPER_ENGINE__GRACE": "0s"}
SMALL = "weekly/summary.md"  # travels in its message
LARGE = "models/weights.bin"  # is staged
LARGE_SIZE = 3 * 1024 * 1024


def contents(seed: int = 1) -> dict[str, bytes]:
    """Return the two artifacts' bytes."""
    random_bytes = random.Random(seed).randbytes  # noqa: S311  test data, not a key
    return {SMALL: b"# Summary\n" + random_bytes(2000), LARGE: random_bytes(LARGE_SIZE)}


def store_and_read_back(deployment: Deployment) -> dict[str, bytes]:
    """Store both; each lies in hot and reads back as it was sent."""
    sent = contents()
    for name, content in sent.items():
        answer = deployment.store(name, content, tags={"kind": "report"})
        assert answer["outcome"] == "stored"
        assert answer["sha256"] == hashlib.sha256(content).hexdigest()
        assert answer["tiers"] == ["hot"]
        assert deployment.read(name) == content
    assert len(deployment.objects("hot")) == len(sent)
    return sent


def move_about(deployment: Deployment, sent: dict[str, bytes]) -> None:
    """Promote to warm, archive to cold, restore beside it: after each the copies are where they should be."""
    client = deployment.client
    for name, content in sent.items():
        ref = deployment.ref(name)
        assert one(client.promote(ref, to_tier="warm"))["present"] == ["warm"]
        assert deployment.read(name) == content
        assert one(client.archive(ref))["present"] == ["cold"]
        assert deployment.read(name) == content
        restored = one(client.restore(ref, days=3))
        assert set(restored["present"]) == {"hot", "cold"}
        assert deployment.read(name) == content
    deployment.sweep_until(lambda: not deployment.objects("warm"), what="warm to be empty")
    assert len(deployment.objects("hot")) == len(deployment.objects("cold")) == len(sent)


def purge_and_change_ones_mind(deployment: Deployment, sent: dict[str, bytes]) -> None:
    """A purged artifact cannot be read, can be undeleted, and then reads as before."""
    client = deployment.client
    for name, content in sent.items():
        ref = deployment.ref(name)
        assert one(client.purge(ref, reason="by mistake"))["state"] == "deleted"
        with pytest.raises(ArtifactDeleted):
            deployment.read(name)
        assert one(client.undelete(ref))["state"] == "live"
        assert deployment.read(name) == content


def purge_for_good(deployment: Deployment, sent: dict[str, bytes]) -> None:
    """After the undo window nothing is left in any store, undelete is refused, and the log tells what happened."""
    client = deployment.client
    for name in sent:
        one(client.purge(deployment.ref(name), reason="end of life"))

    def gone() -> bool:
        states = {deployment.show(name).state for name in sent}
        left = [found for tier in ("hot", "warm", "cold") for found in deployment.objects(tier)]
        return states == {ArtifactState.PURGED} and not left

    deployment.sweep_until(gone, timeout=UNDO_SECONDS + 60, what="both to be purged and every store to be empty")
    for name in sent:
        with pytest.raises(ArtifactPurged):
            one(client.undelete(deployment.ref(name)))
        types = [event.type for event in deployment.keeper.artifacts.explain(deployment.show(name).ref).history]
        assert len(types) >= 6, types


def whole_life(deployment: Deployment) -> None:
    """All of the above, in order."""
    sent = store_and_read_back(deployment)
    move_about(deployment, sent)
    purge_and_change_ones_mind(deployment, sent)
    purge_for_good(deployment, sent)
