"""The epoch: an older copy of the catalog is recognised, and does no harm until it is accepted."""

from collections.abc import Iterator, Sequence

import pytest
from support.callers import TESTER
from support.house import House, OpenHouse
from support.reconciling import drop, missed_once, reconcile, short

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogRestored
from tierkeeper.engine.recovery import accept, doctor
from tierkeeper.engine.trust import epoch, own_objects
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey, Stored
from tierkeeper.stores.errors import StoreDenied, StoreFull
from tierkeeper.values.health import Condition


def purged(house: House) -> None:
    """Leave a doomed copy whose time is over."""
    house.store("a")
    house.purge("a")
    house.days_pass(8)
    house.turn()


def test_a_new_catalog_is_trusted(house: House) -> None:
    """A new catalog is trusted before its epoch was ever raised, and after."""
    assert epoch.check(house.keeper.engine, caller=callers.BEAT) is None
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    assert epoch.check(house.keeper.engine, caller=callers.BEAT) is None


def test_the_twin_goes_along(house: House) -> None:
    """Each raise leaves a twin with the catalog's number in the coldest tier; old twins go, and no tier has others."""
    for _ in range(12):
        assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    assert sorted(epoch.twins(house.keeper.engine)) == list(range(4, 14))
    assert all(place.startswith(f"cold/{own_objects.PREFIX}epoch/") for place in house.everything())
    assert [e.type for e in house.keeper.events.select()] == ["epoch raised"] * 12 + ["policy applied"] * 2


@pytest.mark.parametrize("whole", [True, False])
def test_a_refused_delete_of_twins_is_noted(house: House, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:  # noqa: FBT001  a column of the table
    """Whether the store refuses the call or its keys, the reason is kept until a delete of twins succeeds."""
    engine = house.keeper.engine
    for _ in range(10):
        assert epoch.advance(engine, caller=callers.BEAT) is None

    def refused(keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        if whole:
            raise StoreDenied(tier="cold", reason="not you")
        return [DeleteResult(key, DeleteState.FAILED, "not you", "StoreDenied") for key in keys]

    with monkeypatch.context() as patch:
        patch.setattr(engine.store("cold"), "delete", refused)
        why = epoch.advance(engine, caller=callers.BEAT)
        assert (why is not None) == whole
    (noted,) = house.sql("SELECT value, reason FROM switches WHERE name = 'refused:epoch:cold'")
    assert (noted.value["code"], "not you" in noted.reason) == ("StoreDenied", True)
    assert epoch.advance(engine, caller=callers.BEAT) is None
    assert house.sql("SELECT FROM switches WHERE name LIKE 'refused:epoch:%'") == []


def test_a_catalog_behind_its_twin_is_recognised(house: House) -> None:
    """A catalog whose epoch is below that of its twin pauses the collect, in this process and in every other."""
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    before = house.sql("SELECT value::text AS value FROM switches WHERE name = 'epoch'")[0].value
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    house.sql("UPDATE switches SET value = CAST(:value AS jsonb) WHERE name = 'epoch'", value=before)
    purged(house)
    assert "epoch 3" in str(epoch.check(house.keeper.engine, caller=callers.BEAT))
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is not None
    with pytest.raises(CatalogRestored, match="epoch 3"):
        house.collect()
    assert len([place for place in house.everything() if place.startswith("hot/")]) == 1
    assert [e.type for e in house.keeper.events.select(limit=1)] == ["restore recognised"]


def test_a_fail_over_within_a_sweep_is_not_accepted_by_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another server serves the catalog since a sweep checked it, the sweep does not raise the epoch there."""
    engine = house.keeper.engine
    assert epoch.advance(engine, caller=callers.BEAT) is None
    purged(house)
    store = engine.store("cold")
    listed = store.list

    def failing_over(prefix: str) -> Iterator[Stored]:
        house.sql("UPDATE switches SET value = jsonb_set(value, '{server,timeline}', '0') WHERE name = 'epoch'")
        return listed(prefix)

    monkeypatch.setattr(store, "list", failing_over)
    assert "timeline" in str(epoch.advance(engine, caller=callers.BEAT))
    monkeypatch.undo()
    with pytest.raises(CatalogRestored, match="timeline"):
        house.collect()


def test_two_who_raise_it_at_once_are_no_alarm(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is overtaken by another raise while the twins are listed does not take the catalog for an older one."""
    engine = house.keeper.engine
    store = engine.store("cold")
    listed = store.list

    def overtaken(prefix: str = "") -> Iterator[Stored]:
        monkeypatch.undo()
        assert epoch.advance(engine, caller=callers.BEAT) is None
        return listed(prefix)

    monkeypatch.setattr(store, "list", overtaken)
    assert epoch.advance(engine, caller=callers.BEAT) is None
    assert epoch.check(engine, caller=callers.BEAT) is None
    assert sorted(epoch.twins(engine)) == [2, 3]


def test_a_coldest_tier_that_takes_nothing_does_not_stop_the_reconcile(
    twice: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the twin can be read but not written, tiers are compared and repaired all the same."""
    engine = twice.keeper.engine
    drop(twice, "warm")
    missed_once(twice, "warm")

    def full(*_: object, **__: object) -> Stored:
        raise StoreFull(tier="cold", reason="no space is left")

    monkeypatch.setattr(engine.store("cold"), "put", full)
    result, found = reconcile(twice)
    assert (short(found), result.counts["reported"]) == ([("warm", "missing", "repair")], 1)
    assert "cannot be written" in str(result.held_back)
    monkeypatch.undo()
    assert epoch.advance(engine, caller=callers.BEAT) is None
    twice.settle()


def number_is(house: House, number: int) -> None:
    """Set the number of the catalog's epoch, and leave its mark."""
    house.sql(
        "UPDATE switches SET value = jsonb_set(value, '{number}', CAST(:number AS jsonb)) WHERE name = 'epoch'",
        number=str(number),
    )


@pytest.mark.parametrize(("number", "known"), [(3, "knows none:"), (12, "knows none after epoch 2:")])
def test_no_twin_is_no_agreement(house: House, number: int, known: str) -> None:
    """A catalog that has no twin among its last epochs is not known to be the newest: nothing is deleted by it."""
    engine = house.keeper.engine
    for _ in range(2):
        assert epoch.advance(engine, caller=callers.BEAT) is None
    purged(house)
    first_gone = 2 if number == 3 else 3
    twins = [(n, mark) for n, marks in epoch.twins(engine).items() for mark in marks if n >= first_gone]
    engine.store("cold").delete([ObjectKey(f"{epoch.FOLDER}{n}-{mark}") for n, mark in twins])
    number_is(house, number)
    assert known in str(epoch.check(engine, caller=callers.BEAT))
    with pytest.raises(CatalogRestored, match="not known to be the newest"):
        house.collect()
    assert next(doctor.examine(engine)).condition is Condition.BAD
    accept.accept(engine, caller=TESTER, reason="no other copy of it is in use")
    assert epoch.check(engine, caller=callers.BEAT) is None
    house.collect()


def test_a_twin_that_one_raise_left_out_is_no_finding(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the coldest tier takes nothing the epoch is raised once, not with each sweep, and is found right after."""
    engine = house.keeper.engine

    def full(*_: object, **__: object) -> Stored:
        raise StoreFull(tier="cold", reason="no space is left")

    monkeypatch.setattr(engine.store("cold"), "put", full)
    for _ in range(3):
        assert "cannot be written" in str(epoch.advance(engine, caller=callers.BEAT))
        assert epoch.check(engine, caller=callers.BEAT) is None
    assert house.sql("SELECT value ->> 'number' AS number FROM switches WHERE name = 'epoch'")[0].number == "2"
    monkeypatch.undo()
    assert epoch.advance(engine, caller=callers.BEAT) is None
    assert sorted(epoch.twins(engine)) == [2, 3]


def test_twins_in_the_tier_that_was_the_coldest_count(house: House) -> None:
    """A new coldest tier has no twins: a catalog is found right, or older, by those in the tier that was it before."""
    engine = house.keeper.engine
    for _ in range(2):
        assert epoch.advance(engine, caller=callers.BEAT) is None
    folder = house.settings.base_path or house.settings.home / "tiers"
    before = folder / "warm" / epoch.FOLDER
    before.parent.mkdir(parents=True, exist_ok=True)
    (folder / "cold" / epoch.FOLDER).rename(before)
    assert epoch.check(engine, caller=callers.BEAT) is None
    number_is(house, 2)
    assert "epoch 3" in str(epoch.doubt(engine))
    number_is(house, 3)
    assert epoch.advance(engine, caller=callers.BEAT) is None
    assert sorted(epoch.twins(engine)) == [3, 4]


def test_an_epoch_given_out_twice_is_recognised(house: House) -> None:
    """Two catalogs that both went on from one epoch are told apart by the marks of their twins."""
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    before = house.sql("SELECT value::text AS value FROM switches WHERE name = 'epoch'")[0].value
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    other = before.replace('"number": 2', '"number": 3')
    assert other != before
    house.sql("UPDATE switches SET value = CAST(:value AS jsonb) WHERE name = 'epoch'", value=other)
    assert "another copy" in str(epoch.check(house.keeper.engine, caller=callers.BEAT))


@pytest.mark.parametrize(("field", "value"), [("system", '"1"'), ("timeline", "77"), ("database", "1")])
def test_another_server_is_recognised_without_a_store(house: House, field: str, value: str) -> None:
    """A catalog on another server, timeline or database than noted pauses the collect at once, asking no tier."""
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    purged(house)
    house.sql(
        f"UPDATE switches SET value = jsonb_set(value, '{{server,{field}}}', CAST(:v AS jsonb)) WHERE name = 'epoch'",  # noqa: S608  a constant
        v=value,
    )
    with pytest.raises(CatalogRestored, match={"system": "server"}.get(field, field)):
        house.collect()


def test_what_may_not_be_asked_is_no_finding(house: House) -> None:
    """A server that tells neither its id nor its timeline is not mistaken for another one."""
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    house.sql(
        "UPDATE switches SET value = jsonb_set(value, '{server}',"
        ' \'{"system": null, "timeline": null, "database": null}\') WHERE name = \'epoch\''
    )
    assert epoch.check(house.keeper.engine, caller=callers.BEAT) is None
    house.collect()


def test_a_coldest_tier_that_is_away_does_not_stop_the_collect(open_house: OpenHouse) -> None:
    """While the twin cannot be read the catalog is not vouched for, but nothing is noted: collect goes on."""
    house = open_house()
    epoch.advance(house.keeper.engine, caller=callers.BEAT)
    purged(house)
    folder = house.settings.base_path or house.settings.home / "tiers"
    (folder / "cold").rename(folder / "elsewhere")
    assert "cannot be read" in str(epoch.check(house.keeper.engine, caller=callers.BEAT))
    assert house.collect().counts["collected"] == 1
    (folder / "elsewhere").rename(folder / "cold")
    assert epoch.check(house.keeper.engine, caller=callers.BEAT) is None
