"""Health says of a tier that answers and takes no writes why it takes none."""

import errno
import os
from collections.abc import Callable, Iterator

import pytest
from support.house import House, OpenHouse
from support.refusing import Refusing, refusing
from support.stored_objects import MakeStore

from tierkeeper.stores.errors import DatabaseReadOnly
from tierkeeper.values.health import Condition


def failing(code: int) -> Callable[..., int]:
    """Return a system call that fails with this error."""

    def call(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "Mount it read-write"), (errno.EACCES, "Check who owns the folder")],
)
def test_a_folder_that_takes_no_writes_is_bad(
    house: House, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    """Full, read-only and denied are told apart; nothing is left of what was tried."""
    assert house.keeper.health.check()["tier cold"].condition is Condition.OK
    store = house.keeper.engine.store("cold")
    assert not list((store._tree.root / ".tmp").iterdir())  # type: ignore[attr-defined]  # the folder's own
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(code))
        vital = house.keeper.health.check()["tier cold"]
    assert (vital.condition, words in vital.detail, "credentials" in vital.detail) == (Condition.BAD, True, False)
    assert not list((store._tree.root / ".tmp").iterdir())  # type: ignore[attr-defined]  # as above


@pytest.fixture
def front(s3_endpoint: str) -> Iterator[Refusing]:
    """A server that refuses what it is told to."""
    with refusing(s3_endpoint) as found:
        yield found


@pytest.mark.parametrize(
    ("status", "code", "words"), [(403, "AccessDenied", "denies access"), (403, "QuotaExceeded", "is full")]
)
def test_a_bucket_that_takes_no_writes_is_bad(
    open_house: OpenHouse, front: Refusing, status: int, code: str, words: str
) -> None:
    """It is asked again each time until it takes one, then once an hour; a versioned bucket keeps nothing of it."""
    house = open_house(tiers={"cold": {"url": f"s3://cold-writes?endpoint={front.endpoint}&client=boto3"}})
    place = house.keeper.engine.store("cold").place  # type: ignore[attr-defined]  # the bucket's own
    place.client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    before = place.client.list_object_versions(Bucket=place.bucket)
    front.refused = {"PUT": (status, code)}
    vital = house.keeper.health.check()["tier cold"]
    assert (vital.condition, words in vital.detail) == (Condition.BAD, True)
    front.refused, puts = {}, front.asked["PUT"]
    for _ in range(2):
        assert house.keeper.health.check()["tier cold"].condition is Condition.OK
    assert front.asked["PUT"] == puts + 1
    after = place.client.list_object_versions(Bucket=place.bucket)
    assert [len(each.get(kind, [])) for each in (before, after) for kind in ("Versions", "DeleteMarkers")] == [1, 0] * 2


def test_a_bucket_that_locks_gets_no_probe(open_house: OpenHouse, front: Refusing) -> None:
    """Its default may lock whatever is written, for years."""
    url = f"s3://cold-locking?endpoint={front.endpoint}&client=boto3&lock=yes"
    house = open_house(tiers={"cold": {"url": url}})
    puts = front.asked["PUT"]
    assert house.keeper.health.check()["tier cold"].condition is Condition.OK
    assert front.asked["PUT"] == puts


def test_a_read_only_database_is_told_as_such(make_store: MakeStore, postgres_url: str) -> None:
    """It is no lack of credentials, and no server that does not answer."""
    make_store("postgres:", catalog_url=postgres_url)
    store = make_store(
        "postgres:", prepared=False, catalog_url=postgres_url, options="-c default_transaction_read_only=on"
    )
    with pytest.raises(DatabaseReadOnly, match="standby"):
        store.check_writes()
