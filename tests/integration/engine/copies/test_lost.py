"""Content that is called lost: what is readable counts, and who asks is told the truth and what to do next."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.house import House
from support.reconciling import CONTENT, WEEK, drop, overwrite, reconcile

from tierkeeper.base import callers
from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.engine.copies import check, lost
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.values.findings import FindingAction

DOOMED = "UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now() + interval '1 hour'"
DAMAGED = "UPDATE placements SET damaged_at = now()"


@pytest.fixture
def doomed(house: House) -> House:
    """An artifact whose only copy is intact, doomed, and called damaged."""
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    house.sql(DOOMED)
    house.sql(DAMAGED)
    return house


def test_an_intact_doomed_copy_heals_and_is_rescued(doomed: House) -> None:
    """The last copy is intact and doomed: it is not called lost, it heals, and the next turn makes it present again."""
    result, found = reconcile(doomed)
    assert (result.lost, result.counts.get("healed"), [f.lost for f in found]) == (0, 1, [False])
    doomed.turn()
    assert (doomed.tiers(), doomed.read()) == ({"warm"}, CONTENT)
    assert reconcile(doomed)[1] == []


def test_a_doomed_copy_with_other_bytes_stays_lost(doomed: House) -> None:
    """Other bytes of equal length do not heal: the content stays lost, and the copy is not rescued."""
    overwrite(doomed, "warm", CONTENT.upper())
    result, found = reconcile(doomed)
    assert (result.lost, "healed" in result.counts, [f.lost for f in found]) == (1, False, [True])
    doomed.turn()
    with pytest.raises(NoReadableCopy):
        doomed.read()
    doomed.reset()


def test_one_report_says_one_thing_of_a_copy(doomed: House) -> None:
    """What a dry run says would heal is what the run heals, and neither calls it lost."""
    result, found = reconcile(doomed, dry_run=True)
    assert (result.lost, [f.action for f in found]) == (0, [FindingAction.HEAL])
    result, found = reconcile(doomed)
    assert (result.lost, result.counts.get("healed"), [f.action for f in found]) == (0, 1, [FindingAction.HEAL])


def test_content_that_another_copy_heals_is_not_lost(twice: House) -> None:
    """Two copies are called damaged and one of them is intact: nothing is lost, whichever tier is looked at first."""
    for bad in ("warm", "cold"):
        twice.sql(DAMAGED)
        overwrite(twice, bad, CONTENT.upper())
        result, found = reconcile(twice)
        assert (result.lost, result.counts.get("healed"), any(f.lost for f in found)) == (0, 1, False)
        twice.settle()
        assert (twice.tiers(), twice.read()) == ({"warm", "cold"}, CONTENT)


def test_all_who_need_healed_content_are_due(house: House) -> None:
    """However many artifacts share the content, healing it takes all of them out of the parked ones."""
    for number in range(101):
        house.store(f"n{number}", content=CONTENT, age=WEEK)
    house.settle()
    house.sql(DAMAGED)
    house.sql("UPDATE schedule SET parked_reason = 'no readable copy', attempts = 6")
    assert reconcile(house)[0].counts["healed"] == 1
    (left,) = house.sql("SELECT count(*) AS n FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0")
    assert left.n == 0


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_was_stored_anew_is_not_parked(house: House, name: str) -> None:
    """Its content was lost and its attempts were at their limit: stored anew it starts afresh, under whatever name."""
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    drop(house, "warm")
    reconcile(house)
    house.sql("UPDATE schedule SET attempts = 5, failures = 5, due_at = now()")
    house.store(name, content=CONTENT, age=WEEK)
    house.turn()
    assert (house.read(), house.sql("SELECT parked_reason FROM schedule WHERE parked_reason IS NOT NULL")) == (
        CONTENT,
        [],
    )
    house.settle()


def test_a_read_of_lost_content_says_what_is_known(doomed: House) -> None:
    """Whoever reads lost content is told of each copy what is wrong with it, and which command looks again."""
    with pytest.raises(NoReadableCopy) as caught:
        doomed.read()
    assert "warm: it was found damaged at " in str(caught.value)
    assert "tierkeeper reconcile" in str(caught.value)
    doomed.reset()


def test_what_is_lost_is_called_so(house: House) -> None:
    """After every copy was looked for in vain nobody is told to wait for tiers: only storing it again helps."""
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    drop(house, "warm")
    assert [reconcile(house)[0].lost for _ in range(2)] == [1, 1]
    with pytest.raises(NoReadableCopy, match="only storing it again brings the content back") as caught:
        house.read()
    assert "Once its tiers answer" not in str(caught.value)
    answer = caught.value.as_dict()
    assert (caught.value.exit_code, caught.value.retryable, answer["error"]) == (7, False, "ContentLost")
    assert set(answer) == {"error", "message", "ref", "reasons"}
    house.turn()
    failure = house.show().failure
    assert failure is not None
    assert (failure.code, failure.words) == ("ContentLost", lost.STEP)
    assert "the content is lost" in house.keeper.artifacts.explain(house.ref()).blocked[0]
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    assert (house.read(), house.keeper.artifacts.explain(house.ref()).blocked) == (CONTENT, ())


def test_what_lies_in_a_tier_that_is_away_is_not_called_lost(doomed: House) -> None:
    """Its copy was found damaged, and its tier is away or not configured: it is looked for once the tier answers."""
    folder = Path(urlsplit(doomed.settings.tiers["warm"].url).path)
    away = folder.rename(folder.with_name("away"))
    with pytest.raises(NoReadableCopy, match="Once its tiers answer") as caught:
        doomed.read()
    assert caught.value.exit_code == 6
    away.rename(folder)
    doomed.sql("UPDATE placements SET tier = 'elsewhere'")
    with pytest.raises(NoReadableCopy, match="Once its tiers answer"):
        doomed.read()
    assert not any("lost" in one for one in doomed.keeper.artifacts.explain(doomed.ref()).blocked)
    doomed.reset()


def test_verify_of_lost_content_says_so(doomed: House) -> None:
    """Asked about lost content, verify reads what there is: other bytes are an error, and right ones heal."""
    overwrite(doomed, "warm", CONTENT.upper())
    result = doomed.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"still damaged": 1}, 1)
    drop(doomed, "warm")
    result = doomed.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"still damaged": 1}, 1)
    doomed.sql("DELETE FROM placements")
    result = doomed.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"lost": 1}, 1)
    assert result.failures[0].ref == doomed.show().ref
    doomed.reset()


def test_a_copy_that_cannot_be_asked_is_not_lost(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier that is not configured here and a store that fails say nothing of the bytes: neither calls them lost."""
    doomed.sql("UPDATE placements SET tier = 'elsewhere'")
    assert doomed.keeper.sweeps.verify(caller=callers.BEAT).counts == {"left out": 1}
    doomed.sql("UPDATE placements SET tier = 'warm'")

    def fails(*_: object, **__: object) -> None:
        raise StoreTransient(tier="warm", reason="it is away")

    monkeypatch.setattr(check, "check", fails)
    result, found = reconcile(doomed, dry_run=True)
    assert (result.lost, [f.lost for f in found]) == (0, [])
    assert sum(tier.unanswered for tier in result.tiers) == 1
    doomed.reset()


def test_verify_heals_what_is_right(doomed: House) -> None:
    """A copy that was called damaged and has the right bytes is good again after a verify."""
    result = doomed.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"healed": 1}, 0)
    doomed.turn()
    assert (doomed.tiers(), doomed.read()) == ({"warm"}, CONTENT)


def test_verify_reads_what_is_doomed_and_alone(house: House) -> None:
    """Where no present copy is left a doomed one is what the artifact can be read from: verify reads it."""
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    house.sql(DOOMED)
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1}
    house.turn()
