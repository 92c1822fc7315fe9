"""A process that dies at any step of what an operator runs: the same command again goes on, or says what is done."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support import catalogs, crashing, months
from support.braking import fill, states, waiting
from support.callers import TESTER
from support.catalogs import Catalog, contents
from support.crashing import Crash, Step, When
from support.house import OpenHouse, houses

from tierkeeper.base.errors import CatalogInUse
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.recovery import accept, dump, rebuild
from tierkeeper.settings.settings import Settings
from tierkeeper.values.plans import AppliedItem

SILENT = timedelta(minutes=6)  # after which nobody is at work on a plan any more


def steps(part: str) -> list[Step]:
    """The steps of one module."""
    return [step for step in crashing.steps() if step.part == part]


@pytest.fixture
def open_house(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens keepers with settings of their own."""
    with houses(settings_factory) as opener:
        yield opener


@pytest.fixture
def catalog(postgres_server: Postgres, catalog_template: str, settings_factory: Callable[..., Settings]) -> Catalog:
    """Opens a house on a new, empty catalog each time; the tiers are always the same."""
    return catalogs.opener(postgres_server, catalog_template, settings_factory)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", steps("rebuild"), ids=str)
def test_a_crash_of_a_rebuild(catalog: Catalog, step: Step, when: When) -> None:
    """The rebuild again makes the catalog; after its last step there is one, and it is only to be accepted."""
    with catalog() as house:
        house.store("kept", b"kept", age=timedelta(days=8))
        house.settle()
        dump.dump(house.keeper.engine, caller=TESTER)
        house.store("newer", b"newer than the dump")
        before = contents(house)
    with catalog() as house:
        engine = house.keeper.engine
        with crashing.crashing(step, when), pytest.raises(Crash):
            rebuild.rebuild(engine, caller=TESTER)
        if (step.name, when) == ("step_5_finish", "after"):
            with pytest.raises(CatalogInUse):
                rebuild.rebuild(engine, caller=TESTER)
        else:
            rebuild.rebuild(engine, caller=TESTER)
        accept.accept(engine, caller=TESTER, reason="it was lost")
        list(accept.approve(engine.catalog, caller=TESTER, reason="looked through"))
        house.settle()
        assert contents(house) == before
        assert house.tiers("kept") == {"warm"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", steps("apply"), ids=str)
def test_a_crash_of_an_apply(open_house: OpenHouse, step: Step, when: When) -> None:
    """The plan again goes on where it stopped, at whichever page; each item is moved once."""
    house = open_house(engine={"batch": 1})
    names = ["a", "b", "c"]
    call, crashed = 1, True
    while crashed:
        for name in names:
            house.store(name, name.encode(), age=timedelta(days=8))
        view = house.keeper.plans.view(tenant=None, as_of=None, policies=None, source="policies.yaml")
        plan = house.keeper.plans.store(view, caller=TESTER, expires=timedelta(days=7)).id

        def applied(plan: object = plan) -> list[AppliedItem]:
            return list(house.keeper.plans.apply(plan, caller=TESTER))  # type: ignore[arg-type]  # it is its id

        try:
            with crashing.crashing(step, when, call=call):
                applied()
            crashed = False
        except Crash:
            house.pass_time(SILENT)
            applied()
        assert {name: house.tiers(name) for name in names} == {name: {"warm"} for name in names}
        assert all(house.events(name).count("moved") == 1 for name in names)
        (run,) = house.keeper.runs.latest(kind=RunKind.APPLY)
        assert run.state is RunState.DONE
        house.settle()
        house.reset()
        call += 1
    assert call > 2  # it crashed at least once


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", steps("detach"), ids=str)
def test_a_crash_of_a_detach(open_house: OpenHouse, step: Step, when: When, tmp_path: Path) -> None:
    """The same command again goes on; every event is in a file or in the catalog at any time, and no table is left."""
    house, target = open_house(), tmp_path / "events"
    target.mkdir()
    house.store("a", b"a", age=timedelta(days=8))
    house.settle()
    months.age(house)
    months.dumped(house)
    expected = months.old(house)
    with crashing.crashing(step, when), pytest.raises(Crash):
        months.detach(house, target)
    detached = house.sql("SELECT FROM segments") != []
    assert (months.written(target) if detached else months.old(house))[: len(expected)] == expected
    months.detach(house, target)
    assert months.written(target) == expected
    assert (months.old(house), months.tables(house)) == ([], [])
    assert house.keeper.artifacts.explain(house.ref("a")).history[0].type == "stored"
    assert len(house.sql("SELECT FROM segments")) == len(list(target.iterdir()))


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", steps("approval"), ids=str)
def test_a_crash_of_a_decision(open_house: OpenHouse, step: Step, when: When, decision: str) -> None:
    """The same decision again goes on; another one is too late, and nothing is deleted that was not approved."""
    house = open_house(engine={"brake_share": 0, "brake_count": 10, "batch": 4})
    fill(house, 11)
    house.turn()
    run = waiting(house).id
    decide = getattr(house.keeper.runs, decision)
    with crashing.crashing(step, when), pytest.raises(Crash):
        decide(run, caller=TESTER, reason="looked at it")
    decide(run, caller=TESTER, reason="looked at it")
    house.turn()
    assert states(house) == ({"deleted": 11} if decision == "approve" else {"live": 11})
    house.turn()
    house.settle()
