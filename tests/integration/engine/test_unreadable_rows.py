"""Rows that break the gate, written by SQL: each is isolated, the others of its batch go on, an operator mends it."""

from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from support import broken
from support.callers import TESTER
from support.house import House
from support.slow_worker import Slow

from tierkeeper.base import callers
from tierkeeper.base.errors import UnreadableRow
from tierkeeper.base.states import Outcome
from tierkeeper.catalog import artifacts, unreadable
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
    "texts": 'tags = \'{"a": ["x"]}\'',
    "none": "tags = '{\"a\": []}'",
    "deep_tags": "tags = ('{\"a\": ' || repeat('[', 5000) || repeat(']', 5000) || '}')::jsonb",
}
DEEP: Final = {
    "deep": "metadata = ('{\"a\": ' || repeat('[', 5000) || repeat(']', 5000) || '}')::jsonb",
    "long": "metadata = '{\"a\": -1e5000}'",
}
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


def test_a_row_that_breaks_before_its_commit(house: House) -> None:
    """It is parked there, not left without a place in the schedule; its copies are as they were."""
    house.store(age=timedelta(days=8))
    slow = Slow(house).claim().intend().copy()
    broken.write(house.keeper, "a", BROKEN["list"])
    [result] = slow.commit().values()
    assert (result.outcome, house.tiers()) == (Outcome.PARKED, {"hot"})
    assert [item.ref.name for item in house.keeper.parked.select(StuckFilter()) if item.ref] == ["a"]
    assert house.turn() == {}


def test_an_operator_mends_them(house: House) -> None:
    """`doctor` counts and mends each with an event: an age begins at the store, an end does not come, JSON is kept."""
    for name in BROKEN:
        house.store(name)
        broken.write(house.keeper, name, BROKEN[name])
    (check,) = (c for c in house.keeper.recovery.examine() if c.check == "rows that cannot be read")
    assert check.found.startswith(f"{len(BROKEN)}, such as acme/reports/")
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["constraints with broken rows"] == 1
    for dry_run in (True, False):
        mended = house.keeper.recovery.mend(caller=TESTER, reason="a test", dry_run=dry_run)
        assert {each.ref.name for each in mended} == BROKEN.keys()
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
    assert rows["texts"].metadata == {"unreadable tags": {"a": ["x"]}}
    assert rows["deep"].metadata == {"unreadable": '{"a": ' + "[" * 5000 + "]" * 5000 + "}"}
    assert rows["deep_tags"].metadata == {"unreadable tags": '{"a": ' + "[" * 5000 + "]" * 5000 + "}"}
    assert rows["long"].metadata == {"unreadable": '{"a": -1' + "0" * 5000 + "}"}
    assert rows["red"].tags == rows["nested"].tags == {}
    assert house.events("before") == ["stored", "mended"]
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["constraints validated"] == 1


#: metadata, and whether neither Python nor SQL is to take them: at the last level and digit that are read, and beyond
EDGES: Final = {
    "list": ("[" * 499 + "1" + "]" * 499, True),
    "lists": ('{"a": ' + "[" * 498 + "1" + "]" * 498 + "}", False),
    "lists too deep": ('{"a": ' + "[" * 499 + "1" + "]" * 499 + "}", True),
    "empty at the end": ('{"a": ' + "[" * 499 + "]" * 499 + "}", False),
    "objects": ('{"a":' * 499 + "1" + "}" * 499, False),
    "objects too deep": ('{"a":' * 500 + "1" + "}" * 500, True),
    "beside": ('{"a": "' + "x" * 2000 + '", "b": ' + '{"a":' * 499 + "1" + "}" * 500, True),
    "wide": ('{"a": [' + "[]," * 2000 + "[]]}", False),
    "brackets of a text": ('{"a": "' + "[" * 2000 + '"}', False),
    "digits": ('{"a": ' + "9" * 4300 + "}", False),
    "a digit more": ('{"a": 1' + "0" * 4300 + "}", True),
    "below zero": ('{"a": -' + "9" * 4300 + "}", False),
    "a digit more below zero": ('{"a": -1' + "0" * 4300 + "}", True),
    "by an exponent": ('{"a": [{"b": 1e4300}]}', True),
    "with a point": ('{"a": 1' + "0" * 4300 + ".5}", True),
    "after the point": ('{"a": 0.' + "1" * 6000 + "}", False),
    "digits of a text": ('{"a": "' + "9" * 6000 + '"}', False),
    "null": ("null", True),
}


def test_python_and_sql_agree(house: House) -> None:
    """What a reader cannot read is what doctor finds, and what is mended: no row is a dead end between them."""
    for name, (metadata, _) in EDGES.items():
        house.store(name)
        broken.write(house.keeper, name, f"metadata = '{metadata}'")
    named = {house.show(name).id: name for name in EDGES}
    with house.keeper.engine.catalog.reading() as connection:
        by_python = {named[row.id] for row in artifacts.load(connection, list(named)) if row.unreadable}
        by_sql = {named[found] for found in unreadable.still(connection, list(named))}
    assert by_python == by_sql == {name for name, (_, bad) in EDGES.items() if bad}
    assert {each.ref.name for each in house.keeper.recovery.mend(caller=TESTER, reason="a test")} == by_sql
    with house.keeper.engine.catalog.reading() as connection:
        assert not [row for row in artifacts.load(connection, list(named)) if row.unreadable]
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["constraints validated"] == 1


def test_one_broken_row_is_no_scan_each_hour(house: House) -> None:
    """It is remembered: while it stands, the others are not looked at; once it is mended they are."""
    asked = list[str]()

    def note(_connection: sa.Connection, _cursor: object, text: str, *_more: object) -> None:
        if "VALIDATE CONSTRAINT" in text:
            asked.append(text)

    def maintained() -> dict[str, int]:
        asked.clear()
        counts = house.keeper.sweeps.maintain(caller=TESTER).counts
        return {what.split()[1]: number for what, number in counts.items() if what.startswith("constraints")}

    for name in ("list", "red"):
        house.store(name)
        broken.write(house.keeper, name, BROKEN[name])
    sa.event.listen(house.keeper.engine.catalog.engine, "before_cursor_execute", note)
    assert (maintained(), len(asked)) == ({"with": 1}, 1)
    assert (maintained(), len(asked)) == ({"with": 1}, 0)
    house.sql("UPDATE artifacts SET revision = revision WHERE metadata = '[1]'")  # mended by the trigger
    assert (maintained(), len(asked)) == ({"with": 1}, 1)
    house.sql("UPDATE artifacts SET revision = revision WHERE jsonb_typeof(tags) = 'string'")
    assert (maintained(), len(asked)) == ({"validated": 1}, 1)
    assert (maintained(), len(asked)) == ({}, 0)
    assert not house.sql("SELECT FROM switches WHERE name = 'unreadable_artifact'")


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
    for change in BROKEN.values():
        with pytest.raises(sa.exc.IntegrityError, match="ck_artifacts_readable"):
            house.sql(f"UPDATE artifacts SET {change.replace(':', chr(92) + ':')}")  # noqa: S608  constants
