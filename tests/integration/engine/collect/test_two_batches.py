"""While the bytes of one batch are deleted, the next one is judged; the one before is forgotten beside the next."""

import concurrent.futures
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from support import invariants
from support.catalogs import FOLDERS
from support.house import LEASES_END, House, OpenHouse

from tierkeeper.base import callers
from tierkeeper.base.errors import DeletesDisabled
from tierkeeper.engine.collect import collect
from tierkeeper.engine.collect.judgement import Marked
from tierkeeper.engine.context import Engine
from tierkeeper.stores.base import DeleteResult

NOW = "name: now\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0d"
TIMEOUT = 5  # seconds, of what must not be waited for


@pytest.fixture
def doomed(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Six copies that may go, in three batches."""
    return ready(house, monkeypatch)


def ready(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Store six artifacts and let their copies be doomed."""
    monkeypatch.setattr(collect, "_BATCH", 2)
    house.policy(NOW)
    for name in "abcdef":
        house.store(name, name.encode())
        house.purge(name)
    house.turn()
    return house


def states(house: House) -> list[str]:
    """The states of all copies."""
    return sorted(row.state for row in house.sql("SELECT state FROM placements"))


def test_the_next_is_judged_meanwhile(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first deletion does not end before the second batch is marked, nor the second before the third is."""
    marks = [threading.Event() for _ in range(3)]
    mark, delete, begun = collect.step_2_mark, collect.step_3_delete, iter(range(3))

    def marked(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        result = mark(*args, **given)
        next(event for event in marks if not event.is_set()).set()
        return result

    def deleted(*args: Any) -> Any:  # noqa: ANN401  handed on
        following = next(begun) + 1
        assert following == len(marks) or marks[following].wait(TIMEOUT)
        return delete(*args)

    monkeypatch.setattr(collect, "step_2_mark", marked)
    monkeypatch.setattr(collect, "step_3_delete", deleted)
    seen: list[int] = []
    result = doomed.keeper.sweeps.collect(caller=callers.BEAT, progress=seen.append)
    assert (result.counts["collected"], result.counts["destroyed"], result.errors) == (6, 6, 0)
    assert seen == [2, 2, 2]
    assert doomed.everything() == states(doomed) == []
    doomed.settle()


def test_a_batch_is_forgotten_in_parts(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part in a transaction of its own, until all are gone."""
    monkeypatch.setattr(collect, "_BATCH", 6)
    monkeypatch.setattr(collect, "_FORGOTTEN", 4)
    assert doomed.collect().counts["destroyed"] == 6
    ended = "SELECT count(*) AS n FROM events WHERE type = 'destroyed' GROUP BY xid ORDER BY 1"
    assert [row.n for row in doomed.sql(ended)] == [2, 4]
    assert states(doomed) == []


def test_a_switch_stops_the_next_alone(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletes switched off between two batches: what was decided before is deleted, forgotten and counted."""
    mark, batches = collect.step_2_mark, iter(range(9))

    def marked(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        if next(batches) == 1:
            raise DeletesDisabled(reason="a look first")
        return mark(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "step_2_mark", marked)
        with pytest.raises(DeletesDisabled):
            doomed.collect()
    assert states(doomed) == ["doomed"] * 4
    [run] = doomed.keeper.runs.latest(limit=1)
    assert (run.state.value, run.counts["destroyed"]) == ("failed", 2)
    doomed.settle()
    assert doomed.everything() == []


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("step", ["step_3_delete", "step_4_forget"])
def test_a_fault_of_one_is_its_own(doomed: House, monkeypatch: pytest.MonkeyPatch, step: str, failing: int) -> None:
    """A batch that fails is logged and counted; the others go, and a later collect repeats it."""
    real, calls = getattr(collect, step), iter(range(9))

    def fails(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        if next(calls) == failing:
            raise OSError("a fault")
        return real(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, step, fails)
        result = doomed.collect()
    assert (result.counts["destroyed"], result.errors) == (4, 2)
    assert states(doomed) == ["deleting"] * 2
    doomed.pass_time(LEASES_END)
    doomed.settle()
    assert doomed.everything() == []


@pytest.mark.parametrize("step", ["step_2_mark", "step_3_delete", "step_4_forget"])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_death_with_two_in_flight(doomed: House, step: str, call: int) -> None:
    """Whichever step of whichever batch dies: nothing is lost or forgotten too early, and all go in the end."""
    real, calls = getattr(collect, step), iter(range(9))

    def dies(*args: Any, **given: Any) -> Any:  # noqa: ANN401  handed on
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, step, dies)
        with pytest.raises(KeyboardInterrupt):
            doomed.collect()
    invariants.check(doomed.keeper)
    assert len(states(doomed)) >= len(doomed.everything())
    doomed.pass_time(LEASES_END)
    doomed.settle()
    assert doomed.everything() == []
    assert [doomed.events(name).count("destroyed") for name in "abcdef"] == [1] * 6


def test_a_deletion_longer_than_a_lease_is_not_picked_again(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep knows what it is deleting; what waited for that has its whole lease when its own deletion begins."""
    house = ready(open_house(engine={"grace": "0s", "lease": "1s", "renew_every": "0.3s"}, tiers=FOLDERS), monkeypatch)
    real, forget, left = collect.step_3_delete, collect.step_4_forget, list[float]()

    def slow(engine: Engine, marked: Sequence[Marked]) -> dict[UUID, DeleteResult]:
        of = "SELECT extract(epoch FROM lease_until - clock_timestamp()) AS left FROM placements WHERE id = ANY(:ids)"
        left.extend(float(row.left) for row in house.sql(of, ids=[m.placement.id for m in marked]))
        time.sleep(1.6)
        return real(engine, marked)

    def slowly_forgotten(*args: Any, **given: Any) -> tuple[int, int, int]:  # noqa: ANN401  handed on
        time.sleep(1.2)
        return forget(*args, **given)

    monkeypatch.setattr(collect, "step_3_delete", slow)
    monkeypatch.setattr(collect, "step_4_forget", slowly_forgotten)
    until = time.monotonic() + 4 * TIMEOUT  # a sweep against itself would not end
    result = house.keeper.sweeps.collect(caller=callers.BEAT, deadline=until)
    assert (result.counts["destroyed"], result.counts.get("repeated"), result.errors) == (6, None, 0)
    assert len(left) == 6
    assert min(left) > 0.8
    house.settle()


def test_an_interrupt_while_it_waits(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C lies in a wait mostly: what was in flight is forgotten and counted all the same."""
    waits = iter(range(9))

    def interrupted(futures: object) -> None:
        if next(waits) == 0:
            raise KeyboardInterrupt
        concurrent.futures.wait(futures)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            doomed.collect()
    assert states(doomed) == ["deleting"] * 2 + ["doomed"] * 2
    [run] = doomed.keeper.runs.latest(limit=1)
    assert (run.state.value, run.counts["destroyed"]) == ("failed", 2)
    doomed.pass_time(LEASES_END)
    doomed.settle()
    assert doomed.everything() == []


def test_a_dry_run_shows_progress(doomed: House) -> None:
    """Each batch is told, also one of which nothing goes."""
    seen: list[int] = []
    result = doomed.keeper.sweeps.collect(caller=callers.BEAT, dry_run=True, progress=seen.append)
    assert (result.counts["collected"], seen) == (6, [0, 0, 0])


def test_a_deadline_waits_for_what_was_begun(doomed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in flight when the time is over is deleted, forgotten and counted before the result says more."""
    answers = iter([False, True])
    monkeypatch.setattr(collect, "over", lambda _: next(answers))
    result = doomed.collect()
    assert (result.more, result.counts["destroyed"], states(doomed)) == (True, 2, ["doomed"] * 4)
    monkeypatch.undo()
    doomed.settle()
