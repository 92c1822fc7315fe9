"""Policies through the keeper: applying, changing, removing, and what that does to artifacts that exist."""

import json
from datetime import timedelta
from typing import Any

import pytest
from support.around import Around
from support.callers import TESTER
from support.house import TENANT, WORKFLOW, House, OpenHouse

from tierkeeper.base.errors import InvalidInput, PolicyInvalid, PolicyNotFound, PolicyTie
from tierkeeper.policy.match import Subject
from tierkeeper.stores.errors import StoreDenied

SOON = "name: soon\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: [warm]}]\n"


def test_an_edit_makes_due_what_it_hastens(house: House) -> None:
    """A new policy that wants artifacts elsewhere already makes them due at once; others stay as they were."""
    house.store("old", b"1", age=timedelta(days=3))
    house.store("new", b"2")
    assert house.keeper.sweeps.due() == 0
    (change,) = house.keeper.policies.apply(SOON, source="soon.yaml", caller=TESTER)
    assert (change.change, change.version, change.matched) == ("new", 1, 2)
    assert house.keeper.sweeps.due() == 1
    house.settle()
    assert (house.tiers("old"), house.tiers("new")) == ({"warm"}, {"hot"})
    assert house.show("old").policy == "soon v1"


def test_an_edit_that_delays_only_delays(house: House) -> None:
    """A policy that lets artifacts stay longer is obeyed from the next look on; nothing moves before."""
    house.policy(SOON)
    house.store()
    house.policy(SOON.replace("1d", "5d"))
    house.days_pass(2)
    house.settle()
    assert house.tiers() == {"hot"}
    house.days_pass(4)
    house.settle()
    assert house.tiers() == {"warm"}


def test_the_same_policy_is_no_version(house: House) -> None:
    """Applying what is active already changes nothing; a change is the next version, with its difference."""
    house.policy(SOON)
    (same,) = house.keeper.policies.apply(SOON, source="soon.yaml", caller=TESTER)
    assert (same.change, same.version, same.diff) == ("unchanged", 1, "")
    (dry,) = house.keeper.policies.apply(SOON.replace("1d", "2d"), source="soon.yaml", caller=TESTER, dry_run=True)
    assert (dry.change, dry.version) == ("changed", 2)
    assert "-" in dry.diff
    assert "2d" in dry.diff
    assert house.keeper.policies.get("soon").version == 1
    house.policy(SOON.replace("1d", "2d"))
    assert [p.version for p in house.keeper.policies.known(all_versions=True) if p.name == "soon"] == [1, 2]


def test_a_removed_policy_gives_way(house: House) -> None:
    """What a removed policy governed falls to the next that matches; its name goes on counting versions."""
    house.store(age=timedelta(days=3))
    house.policy(SOON)
    house.settle()
    assert house.tiers() == {"warm"}
    assert house.keeper.policies.remove("soon", caller=TESTER).change == "removed"
    house.settle()
    assert house.tiers() == {"hot"}
    with pytest.raises(PolicyNotFound):
        house.keeper.policies.remove("soon", caller=TESTER)
    with pytest.raises(InvalidInput, match="built in"):
        house.keeper.policies.remove("default", caller=TESTER)
    house.policy(SOON)
    assert house.keeper.policies.get("soon").version == 2


def test_a_tie_changes_nothing(house: House) -> None:
    """A policy as specific as another that matches the same things is refused, and none of its file is applied."""
    house.policy(SOON)
    with pytest.raises(PolicyTie, match="soon"):
        house.policy(SOON.replace("soon", "other") + "---\n" + SOON.replace("reports", "fine").replace("soon", "fine"))
    assert [p.name for p in house.keeper.policies.known()] == ["default", "record", "soon"]


def test_a_bad_policy_changes_nothing(house: House) -> None:
    """A policy that names an unknown tier is refused with its line."""
    with pytest.raises(PolicyInvalid, match="line 3"):
        house.policy(SOON.replace("warm", "lukewarm"))
    assert len(house.keeper.policies.known()) == 2


def test_the_most_specific_policy_governs(house: House) -> None:
    """Of several policies that match, the most specific governs; asked, each says how it stands to a subject."""
    house.policy(SOON)
    house.policy(SOON.replace("name: soon", "name: mine").replace("match: {", "match: {tenant: acme, "))
    subject = Subject(tenant=TENANT, workflow=WORKFLOW, name="a", tags=(), content_type="text/plain", size=1)
    verdicts = house.keeper.policies.test(subject)
    assert verdicts[0].policy.name == "mine"
    house.store()
    assert house.show().policy == "mine v1"


def test_recompute_goes_on_where_it_stopped(house: House) -> None:
    """A recompute that a crash interrupted is a run that is finished by the next recompute."""
    house.store(age=timedelta(days=3))
    house.policy(SOON)
    house.sql("UPDATE runs SET state = 'running', finished_at = NULL WHERE kind = 'recompute'")
    house.sql("UPDATE runs SET arguments = arguments - 'at'")
    house.sql("DELETE FROM schedule")
    result = house.keeper.sweeps.recompute()
    assert result.counts["looked at"] >= 1
    assert house.keeper.sweeps.due() == 1
    assert not house.sql("SELECT 1 FROM runs WHERE state = 'running'")


def test_an_s3_lifecycle_is_imported(open_house: OpenHouse, s3_endpoint: str) -> None:
    """The lifecycle configuration of a bucket becomes a policy: its storage class is the tier that carries it."""
    house = open_house(tiers={"cold": {"url": f"s3://cold-bucket?endpoint={s3_endpoint}&class=GLACIER"}})
    rule = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Transitions": [{"Days": 10, "StorageClass": "GLACIER"}],
        "Expiration": {"Days": 20},
    }
    imported = house.keeper.policies.import_s3(
        json.dumps({"Rules": [rule]}), name="bucket", source="lifecycle.json", caller=TESTER, tenant=TENANT
    )
    assert [c.change for c in imported.policies] == ["new"]
    house.store("logs/a", b"1", age=timedelta(days=11))
    house.store("other", b"2", age=timedelta(days=11))
    house.settle()
    assert (house.tiers("logs/a"), house.tiers("other")) == ({"cold"}, {"warm"})
    house.days_pass(10)
    house.turn()
    assert house.show("logs/a").state == "deleted"


def test_what_an_import_cannot_say_is_refused(house: House) -> None:
    """A storage class that no tier carries is an error, and nothing is applied."""
    rule = {"ID": "r", "Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    with pytest.raises(PolicyInvalid, match="GLACIER"):
        house.keeper.policies.import_s3(json.dumps({"Rules": [rule]}), name="b", source="l.json", caller=TESTER)
    assert len(house.keeper.policies.known()) == 2


class Away(Around):
    """A store whose server denies the question whether it locks."""

    @property
    def can_lock(self) -> bool:
        raise StoreDenied(tier=self.config.tier, reason="GetObjectLockConfiguration")


def test_only_tiers_that_a_policy_locks_need_to_answer(house: House) -> None:
    """Policies that do not lock a tier that is away are applied, imported and planned; one that does is refused."""
    stores: Any = house.keeper.engine.stores
    stores["warm"] = Away(stores["warm"])
    leaving = "name: leaving\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: [cold]}]\n"
    (change,) = house.keeper.policies.apply(leaving, source="leaving.yaml", caller=TESTER)
    assert change.change == "new"
    rules = json.dumps({"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 9}}]})
    assert house.keeper.policies.import_s3(rules, name="imported", source="rules.json", caller=TESTER).policies
    view = house.keeper.plans.view(tenant=None, as_of=None, policies=leaving, source="leaving.yaml")
    assert [policy.name for policy in view.candidates] == ["leaving"]
    assert {tier.name for tier in house.keeper.tiers.known()} >= {"hot", "warm", "cold"}
    of_warm = f"{SOON}retention: {{mode: governance, for: P7Y, in: [warm]}}\n"
    with pytest.raises(StoreDenied, match="warm"):
        house.keeper.policies.apply(of_warm, source="soon.yaml", caller=TESTER)
    assert "soon" not in {policy.name for policy in house.keeper.policies.known()}
