"""An S3 import replaces the one before of its name: what the file no longer has goes when that is said."""

import json
from datetime import timedelta
from typing import Any

import pytest
from support.callers import TESTER
from support.house import TENANT, House

from tierkeeper.base.errors import InvalidInput, PoliciesLeftOver, PolicyTie
from tierkeeper.base.states import ArtifactState
from tierkeeper.policy.match import Standing, Subject
from tierkeeper.values.policies import PolicyImport

HAND = "name: life-hand\nmatch: {name: hand/*}\nphases: [{after: 0d, in: [hot]}]\n"


def imported(house: House, *ids: str, off: str = "", days: int = 30, **options: Any) -> PolicyImport:  # noqa: ANN401  any option
    """Import a configuration with a rule for each ID, whose prefix it is but for a star."""
    rules = [
        {
            "ID": one,
            "Status": "Disabled" if one == off else "Enabled",
            "Filter": {"Prefix": f"{one.rstrip('*')}/"},
            "Expiration": {"Days": days},
        }
        for one in ids
    ]
    options = {"name": "life", "tenant": TENANT} | options
    return house.keeper.policies.import_s3(json.dumps({"Rules": rules}), source="lc.json", caller=TESTER, **options)


def in_force(house: House) -> set[str]:
    """Return the names of the active policies but the built-in ones."""
    return {one.name for one in house.keeper.policies.known() if not one.built_in}


def governing(house: House, name: str) -> str:
    """Return the label of the policy that would govern an artifact of this name."""
    verdicts = house.keeper.policies.test(Subject(tenant=TENANT, workflow="w", name=name))
    return next(verdict.policy.label for verdict in verdicts if verdict.standing is Standing.GOVERNS)


def test_an_import_replaces_the_one_before(house: House) -> None:
    """What the file has no longer is named, and removed if that is said; until then nothing changes at all."""
    imported(house, "A", "B", "C")
    later = ("A", "B", "D")
    with pytest.raises(PoliciesLeftOver) as caught:
        imported(house, *later, off="B", days=20)
    assert caught.value.data["policies"] == "life-B, life-C"
    dry = imported(house, *later, off="B", days=20, dry_run=True)
    assert [(change.name, change.change) for change in dry.policies] == [
        ("life-A", "changed"),
        ("life-D", "new"),
        ("life-B", "removed"),
        ("life-C", "removed"),
    ]
    assert dry.remarks[-2:] == ("lc.json: no longer in the file: life-B", "lc.json: no longer in the file: life-C")
    assert in_force(house) == {"life-A", "life-B", "life-C"}
    assert (governing(house, "A/x"), governing(house, "C/x")) == ("life-A v1", "life-C v1")
    assert imported(house, *later, off="B", days=20, remove_missing=True).policies == dry.policies
    assert in_force(house) == {"life-A", "life-D"}
    assert (governing(house, "A/x"), governing(house, "C/x")) == ("life-A v2", "default v1")
    removed = house.sql("SELECT before ->> 'name' FROM events WHERE type = 'policy removed' ORDER BY 1")
    assert [row[0] for row in removed] == ["life-B", "life-C"]
    # one rule alone has the name that it had among others, and none at all is a replacement too
    assert [c.change for c in imported(house, "A", days=20, remove_missing=True).policies] == ["unchanged", "removed"]
    imported(house, "A", off="A", remove_missing=True)
    assert in_force(house) == set()


def test_rules_without_an_id_may_move_up(house: House) -> None:
    """A rule that takes the name of a removed one is no tie with what it was called before."""
    imported(house, "a*", "b*")  # no segments, so their policies are called by their numbers
    imported(house, "b*", remove_missing=True)
    assert in_force(house) == {"life-1"}
    assert governing(house, "b/x") == "life-1 v2"


def test_an_import_takes_no_other_ones_policies(house: House) -> None:
    """Another tenant's import of its name and another import's policy are refused."""
    imported(house, "x-A")
    with pytest.raises(InvalidInput, match=f"for tenant {TENANT}, this one for tenant beta"):
        imported(house, "x-A", tenant="beta")
    with pytest.raises(InvalidInput, match="for all tenants"):
        imported(house, "B", tenant=None, remove_missing=True)
    with pytest.raises(InvalidInput, match="the import 'life' made it"):
        imported(house, "A", name="life-x")
    assert governing(house, "x-A/x") == "life-x-A v1"


def test_what_is_edited_by_hand_stays_of_its_import(house: House) -> None:
    """A policy of no import stays one, with a remark where its name is alike, until the import has it in its file."""
    imported(house, "A", "B")
    house.policy(house.keeper.policies.get("life-B").yaml.replace("30d", "40d"))
    house.policy(HAND)
    again = imported(house, "A", remove_missing=True)
    assert "policy life-hand is not in the file, and stays in force" in again.remarks[-1]
    assert in_force(house) == {"life-A", "life-hand"}
    # a release of before noted no import: the same file marks its policies
    house.sql("UPDATE policies SET imported_as = NULL")
    assert [change.change for change in imported(house, "A").policies] == ["unchanged"]
    with pytest.raises(PoliciesLeftOver, match="life-A"):
        imported(house, "A", off="A")


@pytest.mark.parametrize(
    "former", [{"A": ""}, {"a*": "-1", "b*": "-2"}], ids=["a single rule", "behind a disabled one"]
)
def test_an_import_of_an_earlier_release_is_taken_over(house: House, former: dict[str, str]) -> None:
    """A single rule's policy was called as the import, or by its number among enabled ones; the file again is safe."""
    folders = {one: one.rstrip("*") for one in former}
    for one, suffix in former.items():
        house.policy(
            f"name: life{suffix}\nmatch: {{tenant: {TENANT}, name: {folders[one]}/*}}\n"
            "phases: [{after: 0d, in: [hot]}, {after: 400d, in: []}]\n"
        )
        house.store(f"{folders[one]}/x", age=timedelta(days=100))
    house.policy(HAND)
    file = ("off*", *former)
    dry = imported(house, *file, off="off*", days=400, dry_run=True)
    assert {one.name for one in house.keeper.policies.known() if one.imported_as} == set()
    found = imported(house, *file, off="off*", days=400)
    assert found.policies == dry.policies
    assert sum("of an earlier release's import" in remark for remark in found.remarks) == 1
    assert ("life" if len(former) == 1 else "life-1", "replaced") in [(c.name, c.change) for c in found.policies]
    assert in_force(house) == ({"life-A"} if len(former) == 1 else {"life-2", "life-3"}) | {"life-hand"}
    house.settle()
    assert {house.show(f"{folder}/x").state for folder in folders.values()} == {ArtifactState.LIVE}
    with pytest.raises(PoliciesLeftOver):
        imported(house, "off*")


def test_an_import_takes_over_what_matches_the_same_alone(house: House) -> None:
    """A policy of no import, which is called alike and matches otherwise, stays, and so does one called otherwise."""
    house.policy(HAND)
    house.policy(f"name: other\nmatch: {{tenant: {TENANT}, name: A/*}}\nphases: [{{after: 0d, in: [hot]}}]\n")
    with pytest.raises(PolicyTie):
        imported(house, "A")
    imported(house, "B")
    assert in_force(house) == {"life-B", "life-hand", "other"}
