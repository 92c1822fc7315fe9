"""What kills, hangs or swallows whoever works on it is parked and listed; the others go on."""

import base64
import json
import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from faults import ward
from faults.ward import How, OpenWard, Ward
from support.callers import TESTER
from support.house import LEASES_END

from tierkeeper.values.parking import StuckFilter, StuckKind
from tierkeeper_client.contract import SweepArgs, TaskName

OTHERS = [f"healthy{number}" for number in range(12)]
ATTEMPTS = 3
#: sweeps until the others are done: two that die with all of them, one in which the poison comes first, one more
SWEEPS_OF_THE_OTHERS = 4
SETTINGS = {
    "TIERKEEPER_ENGINE__ATTEMPTS": str(ATTEMPTS),
    "TIERKEEPER_BROKER__VISIBILITY_TIMEOUT": "4s",  # a task may take nine tenths of it
    "TIERKEEPER_ENGINE__TASK_SECONDS": "2",
    "TIERKEEPER_ENGINE__LEASE": "3s",
    "TIERKEEPER_ENGINE__RENEW_EVERY": "1s",
}


@pytest.fixture(scope="module")
def shared(open_ward: OpenWard) -> Ward:
    """One worker for all the tests of this file."""
    return open_ward(settings=SETTINGS)


def sweep(sick: Ward, note: Path) -> None:
    """Rotate once; who hangs is ended by its time limit, and its message never ends."""
    before = len(ward.struck(note))
    sick.send(TaskName.ROTATE, SweepArgs())
    sick.wait_for(
        lambda: not sick.open_messages() or (len(ward.struck(note)) > before and gone(ward.struck(note)[-1])),
        what="the sweep, or the end of who hangs in it",
    )
    if sick.open_messages():
        sick.forget()
    sick.house.pass_time(LEASES_END)


def gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.row("F12", "parked, never blocking the rest")
@pytest.mark.parametrize("how", ["segfault", "hog", "hang", "error"])
def test_poison_is_parked(sick: Ward, how: How) -> None:
    """An artifact that kills each worker is given up after its attempts; the others are done some sweeps later."""
    for name in (*OTHERS, "poison"):
        sick.house.store(name, name.encode(), age=timedelta(days=8))
    poison = sick.house.show("poison").id
    note = sick.order("converge.step_4_copy", "before", how, about=str(poison), always=True)
    done: list[int] = []
    while not sick.house.sql("SELECT 1 FROM schedule WHERE parked_reason IS NOT NULL"):
        assert len(done) < ATTEMPTS + SWEEPS_OF_THE_OTHERS, f"not parked after so many sweeps: {done}"
        sweep(sick, note)
        done.append(sum(sick.house.tiers(name) == {"warm"} for name in OTHERS))
    assert len(ward.struck(note)) == ATTEMPTS
    assert done[:SWEEPS_OF_THE_OTHERS][-1] == len(OTHERS), f"done after each sweep: {done}"
    stuck = StuckFilter(kind=StuckKind.ARTIFACT)
    [parked] = sick.house.keeper.parked.select(stuck)
    assert parked.id == poison
    assert "3 attempts" in parked.reason
    assert sick.house.read("poison") == b"poison"
    assert sick.house.events("poison") == ["stored", "parked"]

    sick.heal()  # mended, and an operator says so
    [retried] = sick.house.keeper.parked.retry(stuck, caller=TESTER)
    assert retried.item.id == poison
    sick.settle()
    assert sick.house.tiers("poison") == {"warm"}


def envelope(body: bytes, **headers: object) -> str:
    """Return a message as it lies in Redis."""
    properties = {
        "correlation_id": str(uuid4()),
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "verbs"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"id": str(uuid4()), "task": "tierkeeper.purge", "lang": "py", **headers},
            "properties": properties,
        }
    )


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x00\xff not a message", id="bytes"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="empty"),
        pytest.param(envelope(b"\x80\x81\x82").encode(), id="undecodable"),
        pytest.param(envelope(b"[1, 2").encode(), id="half"),
        pytest.param(envelope(b"[[], {}, {}]", task="tierkeeper.no_such_task").encode(), id="unknown"),
        pytest.param(envelope(b"[[], {}, {}]", task=None).encode(), id="nameless"),
        pytest.param(envelope(b"[[], {}, {}]", id=None).encode(), id="anonymous"),
    ],
)
def test_garbage_in_a_queue(sick: Ward, garbage: bytes) -> None:
    """Whatever lies in the queue before a message, the message is done, and the worker lives."""
    sick.broker.lpush("verbs", garbage)
    [process] = sick.workers
    key = sick.send(TaskName.STORE, sick.house.args("a"))
    sick.wait_for(
        lambda: key not in sick.open_messages() and not sick.broker.llen("verbs"), what="the message after the garbage"
    )
    assert process.status == "running"
    sick.deliver(TaskName.STORE, sick.house.args("b"))
    assert sick.house.read("a") == sick.house.read("b") == b"content"
