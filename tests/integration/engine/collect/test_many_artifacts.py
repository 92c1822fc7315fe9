"""Content of many artifacts: all are asked before its copies go, and all get their receipts, some at a time."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.house import LEASES_END, House

from tierkeeper.catalog import artifacts
from tierkeeper.catalog.rows import EndedArtifact
from tierkeeper.engine.collect import collect

NAMES = [f"n{number}" for number in range(5)]
NOW = "name: now\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0d"


@pytest.fixture
def ended(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Five purged artifacts of one content, whose copy may go; two are read, or get their receipts, at once."""
    monkeypatch.setattr(artifacts, "_AT_ONCE", 2)
    monkeypatch.setattr(collect, "_ENDED", 2)
    house.policy(NOW)
    for name in NAMES:
        house.store(name, b"shared")
    for name in NAMES:
        house.purge(name)
    house.turn()
    return house


def receipts(house: House) -> Counter[str]:
    """How many receipts each artifact has."""
    return Counter({name: house.events(name).count("destroyed") for name in NAMES})


@pytest.mark.parametrize("name", NAMES)
def test_each_artifact_protects(ended: House, name: str) -> None:
    """A hold on any of them keeps the content."""
    ended.hold(name)
    before = ended.everything()
    assert ended.collect().errors == 0, "the decision, and not the catalog's own refusal"
    assert ended.everything() == before != []
    ended.release(name)
    ended.settle()
    assert ended.everything() == []


def test_each_artifact_has_one_receipt(ended: House) -> None:
    """No transaction writes more of them than its bound, and none writes one twice."""
    written = []
    release = artifacts.release_blobs

    def released(*args: Any, **given: Any) -> list[EndedArtifact]:  # noqa: ANN401  handed on
        written.append(release(*args, **given))
        return written[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "release_blobs", released)
        assert ended.collect().counts["destroyed"] == len(NAMES)
    assert [len(some) for some in written] == [2, 2, 1]
    assert receipts(ended) == Counter(NAMES)
    assert ended.sql("SELECT FROM blobs UNION ALL SELECT FROM placements") == []
    ended.settle()


def test_a_death_between_the_receipts_leaves_the_rest_to_the_next(ended: House) -> None:
    """The copy's row stays until all have theirs: the next collect repeats the delete, and continues."""
    release, calls = artifacts.release_blobs, iter(range(9))

    def killed(connection: sa.Connection, *args: Any, **given: Any) -> list[EndedArtifact]:  # noqa: ANN401  handed on
        if next(calls) == 1:
            raise KeyboardInterrupt
        return release(connection, *args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "release_blobs", killed)
        with pytest.raises(KeyboardInterrupt):
            ended.collect()
    assert (receipts(ended).total(), ended.everything()) == (2, [])
    ended.pass_time(LEASES_END + timedelta(hours=1))
    ended.collect()
    assert receipts(ended) == Counter(NAMES)
    assert ended.sql("SELECT FROM blobs UNION ALL SELECT FROM placements") == []
    ended.settle()


def test_another_copy_keeps_the_artifacts_whole(ended: House) -> None:
    """Content that is stored again while the bytes go is not gone: its artifacts get no receipt."""
    mark = collect.step_3_delete

    def stored_meanwhile(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        ended.store("again", b"shared")
        return mark(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "step_3_delete", stored_meanwhile)
        ended.collect()
    assert receipts(ended).total() == 0
    assert ended.read("again") == b"shared"
    ended.settle()
