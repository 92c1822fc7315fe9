"""Records: JSON documents in the database and the coldest tier at once, from the command line."""

import psycopg
import pytest
from integration.cli.terminal import Stored, Tierkeeper

RECORD = ("--tag", "kind=record", "--content-type", "application/json")


@pytest.mark.row("A2")
def test_records_are_queried_where_they_lie(tk: Tierkeeper, stored: Stored, database_url: str) -> None:
    """SQL finds a record by what its document says, as the reference of the settings shows it."""
    for number in (1, 2):
        stored(f"{number}.json", f'{{"customer": {number}}}', *RECORD)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "SELECT tenant, name, version FROM tierkeeper_records.records WHERE document @> '{\"customer\": 2}'"
        ).fetchall()
    assert found == [("acme", "2.json", 1)]


@pytest.mark.row("A5", "a write goes to both; a read falls back to the archive, here a folder")
def test_a_record_is_written_to_both_and_read_from_either(tk: Tierkeeper, stored: Stored, database_url: str) -> None:
    """When `store` ends a record is in the database and in cold; it is read when the database has it no more."""
    ref = stored("a.json", '{"n": 1}', *RECORD)
    placements = tk("-o", "json", "show", ref).json["placements"]
    assert {(one["tier"], one["state"]) for one in placements} == {("records", "present"), ("cold", "present")}
    assert tk("get", ref, "-").out == '{"n": 1}'
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("DELETE FROM tierkeeper_records.records")
    assert tk("get", ref, "-").out == '{"n": 1}'
