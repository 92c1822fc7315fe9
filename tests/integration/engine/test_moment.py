"""A transaction's moment, as it is read from the catalog."""

from datetime import timedelta

from support.callers import TESTER
from support.house import House

from tierkeeper.catalog.database import catalog_now
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.durations import Duration

SOON = "name: soon\nphases:\n  - {after: 0d, in: [hot]}\n  - {after: 1d, in: [cold]}\n"


def read(house: House) -> Moment:
    """The moment of a transaction of its own."""
    with house.keeper.engine.catalog.reading() as connection:
        return Moment.read(connection, house.keeper.engine)


def test_the_time_is_the_catalogs(house: House) -> None:
    """The time is PostgreSQL's, as the moment was read."""
    engine = house.keeper.engine
    with engine.catalog.reading() as connection:
        before = catalog_now(connection)
        moment = Moment.read(connection, engine)
        assert before <= moment.now <= catalog_now(connection)


def test_the_limits_are_of_the_settings(house: House) -> None:
    """The default undo window is that of ``engine.undo``."""
    assert read(house).limits.undo == Duration.of(house.keeper.engine.settings.engine.undo)


def test_policies_are_those_of_now(house: House) -> None:
    """An edit counts at the next moment; an earlier moment, kept over transactions, stays as it was."""
    names = {policy.name for policy in read(house).policies}
    kept = read(house)
    house.policy(SOON)
    assert {policy.name for policy in read(house).policies} == names | {"soon"}
    house.policy(SOON.replace("1d", "2d"))
    assert [p.label for p in read(house).policies if p.name == "soon"] == ["soon v2"]
    house.keeper.policies.remove("soon", caller=TESTER)
    assert {policy.name for policy in read(house).policies} == names == {policy.name for policy in kept.policies}


def test_nothing_is_read_again_without_an_edit(house: House) -> None:
    """Two moments of one edition share the policies, and each has its own time."""
    first, second = read(house), read(house)
    assert first.policies is second.policies
    assert timedelta(0) < second.now - first.now
