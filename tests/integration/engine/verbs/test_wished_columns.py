"""The columns that verbs change against those that are written."""

from functools import partial

import sqlalchemy as sa
from support.callers import TESTER
from support.house import TENANT, WORKFLOW, House

from tierkeeper.catalog import artifacts
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.verbs import wishes
from tierkeeper.values.artifacts import Ref

VERBS = (
    wishes.archive,
    partial(wishes.restore, to_tier="warm", days=3),
    partial(wishes.promote, to_tier="warm"),
    wishes.purge,
    wishes.undelete,
)


def test_every_changed_column_is_written(house: House) -> None:
    """After each verb the catalog has the artifact exactly as the verb's wish has it."""
    house.store()
    engine = house.keeper.engine

    def unit(connection: sa.Connection) -> None:
        (row,) = artifacts.versions(connection, Ref(TENANT, WORKFLOW, "a", None))
        moment = Moment.read(connection, engine)
        for verb in VERBS:
            asked = wishes.Asked(row, moment, frozenset({"hot"}), engine.tiers, engine.settings.engine)
            wish = verb(asked)
            assert wish.new != row
            artifacts.write_asked(connection, [wish.new])
            (row,) = artifacts.load(connection, [row.id])
            assert row == wish.new

    engine.catalog.run(TESTER, unit)
