"""The constraints and triggers that make wrong states impossible, whoever writes them."""

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House


def refused(house: House, statement: str, match: str) -> None:
    """Check that the catalog refuses a statement with these words."""
    with pytest.raises(sa.exc.DBAPIError, match=match):
        house.sql(statement)


def test_one_present_copy_a_tier(house: House) -> None:
    """A blob has at most one present placement in a tier; doomed and copying ones may stand beside it."""
    copy = (
        "INSERT INTO placements (id, blob_id, tier, location, state, token, lease_until, stored_size, delete_after)"
        " SELECT gen_random_uuid(), blob_id, tier, gen_random_uuid()::text, '{state}', gen_random_uuid(), now(), 1,"
        " now() FROM placements LIMIT 1"
    )
    refused(house, copy.format(state="present"), "uq_placements_present")
    house.sql(copy.format(state="doomed"))
    house.sql(copy.format(state="copying"))
    refused(house, "UPDATE placements SET state = 'present'", "uq_placements_present")
    house.sql("DELETE FROM placements WHERE state <> 'present'")


def test_a_location_is_never_used_twice(house: House) -> None:
    """Two placements can't share a location of a tier."""
    refused(
        house,
        "INSERT INTO placements (id, blob_id, tier, location, state, stored_size, delete_after)"
        " SELECT gen_random_uuid(), blob_id, tier, location, 'doomed', 1, now() FROM placements",
        "uq_placements_location",
    )


@pytest.mark.parametrize(
    ("change", "wall"),
    [
        ("state = 'there'", "state_known"),
        ("state = 'copying', token = NULL, lease_until = now()", "maker_has_token"),
        ("state = 'copying', token = id, lease_until = NULL", "copying_has_lease"),
        ("state = 'doomed', delete_after = NULL", "doomed_has_delete_after"),
        ("stored_size = NULL", "kept_was_written"),
        ("vouched = 'somebody'", "vouched_known"),
        ("vouched = NULL, pin = 'v1'", "pin_of_vouched"),
        ("blob_id = gen_random_uuid()", "fk_placements_blob_id_blobs"),
    ],
)
def test_placements_have_what_their_state_needs(house: House, change: str, wall: str) -> None:
    """A placement without what its state rests on is refused."""
    refused(house, f"UPDATE placements SET {change}", wall)  # noqa: S608  a constant of this test


@pytest.mark.parametrize(
    ("change", "wall"),
    [
        ("state = 'lost'", "state_known"),
        ("state = 'deleted', purge_at = NULL", "deleted_has_purge_at"),
        ("state = 'purged'", "purged_wants_nothing"),
        ("blob_id = NULL", "only_purged_lacks_content"),
        ("retain_until = now()", "retention_is_whole"),
        ("retain_until = now(), retain_mode = 'loose'", "retain_mode_known"),
        ("override_kind = 'add'", "override_is_whole"),
        ("version = 0", "version_from_one"),
    ],
)
def test_artifacts_are_whole(house: House, change: str, wall: str) -> None:
    """An artifact in a state that means nothing is refused."""
    refused(house, f"UPDATE artifacts SET {change}", wall)  # noqa: S608  a constant of this test


def test_retention_is_never_shortened(house: House) -> None:
    """Retention grows and is neither shortened nor taken off, by whatever statement."""
    house.sql("UPDATE artifacts SET retain_until = now() + interval '1 year', retain_mode = 'governance'")
    house.sql("UPDATE artifacts SET retain_until = retain_until + interval '1 day'")
    refused(house, "UPDATE artifacts SET retain_until = retain_until - interval '1 second'", "never shortened")
    refused(house, "UPDATE artifacts SET retain_until = NULL, retain_mode = NULL", "never shortened")


def test_compliance_is_never_weakened(house: House) -> None:
    """Governance may become compliance, never the other way."""
    house.sql("UPDATE artifacts SET retain_until = now() + interval '1 year', retain_mode = 'governance'")
    house.sql("UPDATE artifacts SET retain_mode = 'compliance'")
    refused(house, "UPDATE artifacts SET retain_mode = 'governance'", "never weakened")


def test_nothing_is_purged_under_retention(house: House) -> None:
    """The catalog refuses the state purged until the retention is over."""
    house.sql("UPDATE artifacts SET retain_until = now() + interval '1 year', retain_mode = 'governance'")
    refused(house, "UPDATE artifacts SET state = 'purged', wanted = '{}'", "under retention until")


def test_purged_is_irrevocable(house: House) -> None:
    """What is purged never lives again."""
    house.sql("UPDATE artifacts SET state = 'deleted', purge_at = now()")
    house.sql("UPDATE artifacts SET state = 'live'")
    with house.keeper.engine.catalog.engine.connect() as connection:
        connection.execute(sa.text("UPDATE artifacts SET state = 'purged', wanted = '{}'"))
        for state in ("live", "deleted"):
            with pytest.raises(sa.exc.DBAPIError, match="irrevocable"), connection.begin_nested():
                connection.execute(sa.text("UPDATE artifacts SET state = :state"), {"state": state})
        connection.rollback()


def test_a_name_has_each_version_once(house: House) -> None:
    """A version number is given out once a name, and a name once a workflow."""
    house.store("a", b"second")
    refused(house, "UPDATE artifacts SET version = 1", "uq_artifacts_name_id_version")
    refused(
        house,
        "INSERT INTO names SELECT gen_random_uuid(), tenant, workflow, name, 0 FROM names",
        "uq_names_tenant_workflow_name",
    )


def test_a_hold_has_its_name_once(house: House) -> None:
    """A hold of one name is on an artifact once while it is active, and again after its release."""
    house.hold()
    with pytest.raises(sa.exc.IntegrityError, match="uq_holds_active"):
        house.hold()
    house.release()
    house.hold()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'nobody'",
        "DELETE FROM events",
        "TRUNCATE events",
        "TRUNCATE events_default",
        "TRUNCATE history",
        "UPDATE {partition} SET actor = 'nobody'",
        "DELETE FROM {partition}",
        "TRUNCATE {partition}",
    ],
)
def test_events_are_append_only(house: House, statement: str) -> None:
    """A line of the audit log is neither changed nor removed, through the table or through its partition."""
    (partition,) = house.sql("SELECT tableoid::regclass::text AS name FROM events LIMIT 1")
    before = house.sql("SELECT * FROM events")
    refused(house, statement.format(partition=partition.name), "append-only")
    assert house.sql("SELECT * FROM events") == before


def test_a_wall_is_no_cause_of_another_kind(house: House) -> None:
    """What a rule of the catalog refuses is told as that: it is no privilege to grant, and no server that is away."""
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        house.keeper.engine.catalog.run(TESTER, lambda connection: connection.execute(sa.text("DELETE FROM events")))
