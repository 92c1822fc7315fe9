import ast
from pathlib import Path

from celery.schedules import crontab

import beat_schedule
from beat_schedule import BEAT_SCHEDULE
from tierkeeper_client.contract import VERB_ARGS, Queue, TaskName

SWEEPS = set(TaskName) - set(VERB_ARGS) - {TaskName.CONVERGE_DUE, TaskName.CANARY, TaskName.REFUSE}


def test_every_sweep_is_scheduled_once() -> None:
    """Beat wakes each sweep by one entry."""
    assert sorted(e["task"] for e in BEAT_SCHEDULE.values() if e["task"] != TaskName.CANARY) == sorted(SWEEPS)


def test_a_canary_goes_through_every_queue() -> None:
    """Each minute a message is sent through each queue, whose coming through the health of the whole is told by."""
    canaries = [entry for entry in BEAT_SCHEDULE.values() if entry["task"] == TaskName.CANARY]
    assert [entry["options"] for entry in canaries] == [{"queue": queue.value} for queue in Queue]
    assert all(len(entry["schedule"].minute) == 60 for entry in canaries)


def test_entries_are_crontabs_that_never_expire() -> None:
    """No entry starves when Beat restarts, and no message is dropped by a clock that is ahead."""
    for entry in BEAT_SCHEDULE.values():
        assert isinstance(entry["schedule"], crontab)
        assert set(entry) - {"options"} == {"task", "schedule"}
        assert set(entry.get("options", ())) <= {"queue"}


def test_it_is_data_only() -> None:
    """The schedule imports nothing but the contract and the crontab type in any form, and defines no code."""
    tree = ast.parse(Path(beat_schedule.__file__).read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda))]
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports == [
        "from typing import Any",
        "from celery.schedules import crontab",
        "from tierkeeper_client.contract import Queue, TaskName",
    ]


def test_rotate_and_collect_run_every_minute() -> None:
    """What is due waits a minute at most."""
    for name in ("rotate", "collect"):
        assert len(BEAT_SCHEDULE[name]["schedule"].minute) == 60
