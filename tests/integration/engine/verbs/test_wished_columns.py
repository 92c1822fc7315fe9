"""The columns that verbs and commits change against those that are written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from support.house import TENANT, WORKFLOW, House

from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.verbs import wishes
from tierkeeper.values.artifacts import Ref

THEN = datetime(2026, 1, 1, tzinfo=UTC)
#: from :data:`DELETED` on, each column is changed by one of them at least
VERBS = (
    wishes.undelete,
    wishes.archive,
    partial(wishes.restore, to_tier="warm", days=3),
    partial(wishes.promote, to_tier="warm"),
    wishes.purge,
)
#: an artifact that a policy deleted, with every wish that verbs leave
DELETED = sa.text("""
    UPDATE artifacts
    SET state = 'deleted', deleted_at = :then, deleted_by = 'some-policy', purge_at = :then, archived_tiers = '{hot}',
        override_kind = 'replace', override_tiers = '{hot}', override_until = :then, not_before = :then
    WHERE id = :id
""")


def changed(before: ArtifactRow, after: ArtifactRow) -> set[str]:
    """The columns in which two rows differ."""
    return {name for name in ArtifactRow.__dataclass_fields__ if getattr(before, name) != getattr(after, name)}


@pytest.fixture
def connection(house: House) -> Iterator[sa.Connection]:
    """A transaction that is rolled back, on the catalog of a house with one artifact."""
    house.store()
    with house.keeper.engine.catalog.engine.connect() as connection:
        yield connection


def stored(connection: sa.Connection) -> ArtifactRow:
    """The artifact as the catalog has it."""
    (row,) = artifacts.newest_versions(connection, Ref(TENANT, WORKFLOW, "a", None), limit=2)
    return row


def test_every_asked_column_is_written(house: House, connection: sa.Connection) -> None:
    """After each verb the catalog has the artifact exactly as the verb's wish has it, at the next revision."""
    engine = house.keeper.engine
    moment = Moment.read(connection, engine)
    row = stored(connection)
    connection.execute(DELETED, {"id": row.id, "then": THEN})
    row = stored(connection)
    seen = set()
    for verb in VERBS:
        wish = verb(wishes.Asked(row, moment, frozenset({"hot"}), engine.tiers, engine.settings.engine))
        new = replace(wish.new, revision=row.revision + 1)
        seen |= changed(row, new)
        artifacts.write_asked(connection, [new])
        row = stored(connection)
        assert row == new
    assert len(seen) == 10


def test_every_decided_column_is_written(connection: sa.Connection) -> None:
    """After a commit the catalog has the artifact exactly as the commit's change has it."""
    row = stored(connection)
    new = replace(
        row,
        state=ArtifactState.DELETED,
        wanted=frozenset({"cold"}),
        policy_id=None,
        deleted_at=THEN,
        deleted_by="some-policy",
        purge_at=THEN + timedelta(days=1),
        purged_at=THEN + timedelta(days=2),
        retain_until=THEN + timedelta(days=3),
        retain_mode="governance",
        revision=row.revision + 1,
    )
    assert len(changed(row, new)) == 10
    artifacts.write_decided(connection, [new])
    assert stored(connection) == new
