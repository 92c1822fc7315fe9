"""Many rows in one statement: what is written is what was given, or nothing."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House

from models.artifact import ARTIFACTS
from models.event import EVENTS
from tierkeeper.catalog import recordset


def _event(**values: Any) -> dict[str, Any]:  # noqa: ANN401  any column of the table
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    return {"subject": uuid4(), "revision": 2**53 + 1, "at": at, "type": "told", "actor": "x", "after": None, **values}


def _written(house: House, *batches: list[dict[str, Any]]) -> list[sa.Row[Any]]:
    def unit(connection: sa.Connection) -> None:
        for rows in batches:
            recordset.insert(connection, EVENTS, rows)

    house.keeper.engine.catalog.run(TESTER, unit)
    return house.sql("SELECT * FROM events WHERE type = 'told'")


def test_values_come_back_as_they_were(house: House) -> None:
    """Exact integers and times, any text, JSON with its nulls, and no JSON at all."""
    rows = [_event(after={"a": None, "b": [1.5, "ä\\x41'"]}), _event(actor="\u2028 😀 \\")]
    found = {row.subject: row for row in _written(house, rows)}
    assert [{name: getattr(found[row["subject"]], name) for name in row} for row in rows] == rows


def test_nothing_is_null_in_json_too(house: House) -> None:
    """No document is SQL's NULL, as everything that asks for one expects, and not the null of JSON."""
    _written(house, [_event(), _event(after={"a": None})])
    assert house.sql("SELECT count(*) AS n FROM events WHERE type = 'told' AND after IS NULL")[0].n == 1


def test_what_the_first_and_the_last_row_share_is_theirs(house: House) -> None:
    """A value that is the same in all rows is made ready once; one that only begins and ends a batch is not for all."""
    run, other = uuid4(), uuid4()
    rows = [_event(run_id=each) for each in (run, other, run)]
    found = {row.subject: row.run_id for row in _written(house, rows)}
    assert found == {row["subject"]: row["run_id"] for row in rows}


def test_lists_of_texts_come_back_as_they_were(house: House) -> None:
    """Whatever a text in a list has that arrays are written with, no list, and an empty one."""
    house.store("b", b"second")
    house.store("c", b"third")
    lists: list[list[str] | None] = [['a"b', "\\", "{c,d}", "null", " ", "ä\u2028"], None, []]
    ids = house.sql("SELECT id FROM artifacts ORDER BY id")
    rows = [{"id": each.id, "archived_tiers": tiers} for each, tiers in zip(ids, lists, strict=True)]
    house.keeper.engine.catalog.run(TESTER, recordset.update, ARTIFACTS, rows)
    found = house.sql("SELECT archived_tiers FROM artifacts ORDER BY id")
    assert [row.archived_tiers for row in found] == lists


def test_many_rows_are_cut_into_statements(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to write, no statement becomes longer than the server takes."""
    monkeypatch.setattr(recordset, "_MOST", 1500)
    sent: list[int] = []
    engine = house.keeper.engine.catalog.engine
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda *call: sent.append(sum(map(len, call[3].values()))) if "INSERT INTO events" in call[2] else None,
    )
    assert len(_written(house, [_event(actor="x" * 300) for _ in range(5)], [])) == 5
    assert len(sent) > 1
    assert max(sent) <= 1500


def test_what_is_no_json_is_refused(house: House) -> None:
    """A time within a document is not written as some text: whoever reads it back would get another value."""
    with pytest.raises(TypeError, match="datetime"):
        _written(house, [_event(after={"since": datetime.now(UTC)})])


def test_rows_of_different_columns_are_refused(house: House) -> None:
    """A column that one row lacks is not emptied by the others."""
    (row,) = house.sql("SELECT id FROM artifacts")
    with pytest.raises(ValueError, match="not_before"):
        house.keeper.engine.catalog.run(
            TESTER, recordset.update, ARTIFACTS, [{"id": row.id, "not_before": None}, {"id": uuid4()}]
        )
