"""Rows that break the gate, written by SQL: each is isolated, the others of its batch go on, an operator mends it."""

from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from support import broken
from support.callers import TESTER
from support.house import House

from tierkeeper.base import callers
from tierkeeper.base.errors import UnreadableRow
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.parking import StuckFilter

TIMES: Final = {
    "before": "created_at = '0001-12-31 10:00:00+00 BC'",
    "endless": "created_at = 'infinity', stored_at = 'infinity', accessed_at = '-infinity'",
    "late": "created_at = '9999-12-31Z'",
    "retained": "retain_until = 'infinity', retain_mode = 'governance'",
}
SHAPES: Final = {
    "list": "metadata = '[1]'",
    "red": "tags = '\"red\"'",
    "nested": 'tags = \'{"a": {"b": 1}}\'',
}
DEEP: Final = {"deep": "metadata = ('{\"a\": ' || repeat('[', 5000) || repeat(']', 5000) || '}')::jsonb"}
BROKEN: Final = TIMES | SHAPES | DEEP


def test_a_batch_survives(house: House) -> None:
    """Lists, plans and policies go on; the others move; the bad ones are parked with their reasons, and readable."""
    names = sorted(["a", "z", *BROKEN])
    for name in names:
        house.store(name, name.encode(), age=timedelta(days=10))
    for name in BROKEN:
        broken.write(house.keeper, name, BROKEN[name])
    house.sql("UPDATE schedule SET due_at = '-infinity' WHERE artifact_id = :id", id=house.show("late").id)
    assert [view.ref.name for view in house.keeper.artifacts.select(Filter())] == names
    house.keeper.artifacts.explain(house.ref("before"))
    view = house.keeper.plans.view(tenant=None, as_of=None)
    assert len(list(house.keeper.plans.items(view, house.keeper.plans.summary()))) >= 2
    list(house.keeper.plans.due())
    house.policy("name: p\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\n")
    house.keeper.sweeps.recompute()
    house.policy("name: p\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [warm]}]\n")
    house.keeper.sweeps.recompute()
    house.turn()
    assert {name for name in names if house.tiers(name) == {"warm"}} == {"a", "z"}
    stuck = {item.ref.name: item.reason for item in house.keeper.parked.select(StuckFilter()) if item.ref}
    assert stuck.keys() == BROKEN.keys()
    assert "(created_at, stored_at, accessed_at)" in stuck["endless"]
    assert [house.read(name) for name in names] == [name.encode() for name in names]
    house.keeper.sweeps.verify(caller=callers.BEAT)
    assert {c.found for c in house.keeper.recovery.examine() if c.check == "events missing"} == {"none"}


def test_an_operator_mends_them(house: House) -> None:
    """`doctor` counts and mends each with an event: an age begins at the store, an end does not come, JSON is kept."""
    for name in TIMES | SHAPES:
        house.store(name)
        broken.write(house.keeper, name, BROKEN[name])
    (check,) = (c for c in house.keeper.recovery.examine() if c.check == "rows that cannot be read")
    assert check.found.startswith(f"{len(TIMES | SHAPES)}, such as acme/reports/")
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["constraints with broken rows"] == 1
    for dry_run in (True, False):
        mended = house.keeper.recovery.mend(caller=TESTER, reason="a test", dry_run=dry_run)
        assert {each.ref.name for each in mended} == TIMES.keys() | SHAPES.keys()
    assert list(house.keeper.recovery.mend(caller=TESTER, reason="a test")) == []
    rows = {
        row.name: row
        for row in house.sql("SELECT n.name, a.* FROM artifacts a JOIN names n ON n.id = a.name_id ORDER BY n.name")
    }
    assert all(timedelta() <= row.stored_at - row.created_at < timedelta(minutes=5) for row in rows.values())
    assert rows["endless"].accessed_at == rows["endless"].stored_at  # read just now, as far as anybody knows
    assert rows["retained"].retain_until.year == 8999
    assert rows["list"].metadata == {"unreadable": [1]}
    assert rows["nested"].metadata == {"unreadable tags": {"a": {"b": 1}}}
    assert rows["red"].tags == rows["nested"].tags == {}
    assert house.events("before") == ["stored", "mended"]
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["constraints validated"] == 1


def test_a_purge(house: House) -> None:
    """A purge needs no age. Where nobody can tell what protects an artifact, it is refused until the row is mended."""
    for name in ("before", "list"):
        house.store(name)
        broken.write(house.keeper, name, BROKEN[name])
    house.turn()
    with pytest.raises(UnreadableRow, match="--mend-times"):
        house.purge("list")
    list(house.keeper.recovery.mend(caller=TESTER, reason="a test"))
    broken.write(house.keeper, "before", BROKEN["before"])
    for name in ("before", "list"):
        house.purge(name)
    house.days_pass(8)
    house.settle()
    assert house.show("before", 1).state == house.show("list", 1).state == "purged"


def test_no_statement_breaks_a_row(house: House) -> None:
    """PostgreSQL itself refuses a time outside the gate, and metadata or tags that are none of an artifact's."""
    house.store("a")
    for change in (*TIMES.values(), *SHAPES.values()):
        with pytest.raises(sa.exc.IntegrityError, match="ck_artifacts_readable"):
            house.sql(f"UPDATE artifacts SET {change.replace(':', chr(92) + ':')}")  # noqa: S608  constants
