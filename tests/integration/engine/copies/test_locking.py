"""Retention on a store that locks: a real S3 server, because moto is not honest about Object Lock."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from support import services
from support.house import House, OpenHouse

from tierkeeper.base.errors import RetentionLocked
from tierkeeper.engine.trust import own_objects

pytestmark = pytest.mark.s3

LOCKED = """
name: locked
match: {tenant: acme}
phases:
  - {after: 0d, in: [hot]}
  - {after: 1d, in: [cold]}
retention: {mode: governance, for: 30d, in: [cold]}
undo: 0d
"""


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper whose cold tier is a bucket with Object Lock, under the policy ``locked``."""
    house = open_house(tiers={"cold": {"url": f"s3://locked-{uuid4().hex[:12]}?{services.real_s3()}&lock=yes"}})
    house.policy(LOCKED)
    return house


def locked_until(house: House) -> list[datetime | None]:
    """Until when the copies in cold are known to be locked."""
    return [p.locked_until for p in house.show().placements if p.tier == "cold"]


def test_retention_is_locked_in_the_store(house: House) -> None:
    """A copy that arrives in the retained tier is locked there, on its version, as long as the retention lasts."""
    house.store(age=timedelta(days=2))
    house.turn()
    until = house.show().retain_until
    assert until is not None
    assert abs(until - datetime.now(UTC) - timedelta(days=28)) < timedelta(minutes=5)
    (held,) = locked_until(house)
    assert held is not None
    assert until <= held < until + timedelta(seconds=2)
    place = house.keeper.engine.stores["cold"].place  # type: ignore[attr-defined]  # the S3 store's own
    listed = place.client.list_object_versions(Bucket=place.bucket)["Versions"]
    (version,) = (each for each in listed if not own_objects.is_own(place.location(each["Key"])))
    head = place.client.head_object(Bucket=place.bucket, Key=version["Key"], VersionId=version["VersionId"])
    assert head["ObjectLockMode"] == "GOVERNANCE"


def test_what_is_retained_is_not_purged(house: House) -> None:
    """A purge under retention is refused with its end; the catalog itself refuses a purged state before it."""
    house.store()
    with pytest.raises(RetentionLocked, match="governance"):
        house.purge()
    with pytest.raises(sa.exc.IntegrityError, match="under retention"):
        house.sql("UPDATE artifacts SET state = 'purged', wanted = '{}'")
    house.days_pass(31)
    house.purge()
    assert house.show().state == "purged"


def test_a_longer_retention_protects_at_once(house: House) -> None:
    """A policy edit that lengthens retention protects what exists, and lengthens the locks by the next turn."""
    house.store(age=timedelta(days=2))
    house.settle()
    house.policy(LOCKED.replace("30d", "60d"))
    house.due(house.show().id)
    house.turn()
    until = house.show().retain_until
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(days=57)
    (held,) = locked_until(house)
    assert held is not None
    assert held >= until
    house.policy(LOCKED.replace("30d", "10d"))
    house.due(house.show().id)
    house.turn()
    assert house.show().retain_until == until


def test_a_lock_that_failed_at_store_is_set_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies between the commit of a store and its lock leaves the artifact due, and converge locks it."""
    house.policy(LOCKED.replace("- {after: 0d, in: [hot]}", "- {after: 0d, in: [hot, cold]}") + "write: all\n")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tierkeeper.engine.ingest.ingest.step_5_lock", killed)
        with pytest.raises(KeyboardInterrupt):
            house.store()
    assert locked_until(house) == [None]
    house.pass_time(timedelta(minutes=2))
    house.turn()
    assert locked_until(house) != [None]
