"""`tierkeeper health`: what a person and what a probe is told."""

import re
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper_client.contract import Queue


def test_health_is_told_by_the_exit_code(tk: Tierkeeper) -> None:
    """Without Beat and a worker it is 8, and the problems are named; when canaries come through it is 0."""
    sick = tk("health", "-o", "json")
    assert sick.code == 8
    assert not sick.json["healthy"]
    assert any(problem.startswith("canary verbs: ") for problem in sick.json["problems"])
    with Keeper.open(load()) as keeper:
        for queue in Queue:
            keeper.health.canary(queue, sent_at=None)
    well = tk("health", "-o", "json")
    assert (well.code, well.json["healthy"], well.json["problems"]) == (0, True, [])
    assert {"name": "due", "condition": "ok", "value": 0, "unit": "items", "detail": ""} in well.json["vitals"]
    table = tk("health", "--no-tiers")
    assert "canary transition" in table.out
    assert "tier cold" not in table.out


@pytest.mark.row("F13", "what is overdue and since when; how late things were done")
def test_health_tells_whether_it_keeps_up(tk: Tierkeeper, stored: Stored) -> None:
    """It says how much is overdue, since when and how long that takes; then how late things were done."""
    stored("a.txt", "a", "--created", "8d")
    before = {vital["name"]: vital["value"] for vital in tk("health", "-o", "json").json["vitals"]}
    assert before["due"] == 1
    assert before["overdue"] > 0
    assert tk("lifecycle", "run", "--live").code == 0
    after = {vital["name"]: vital["value"] for vital in tk("health", "-o", "json").json["vitals"]}
    assert (after["due"], after["overdue"], after["clear"]) == (0, 0, 0)
    assert after["latency p50"] > 0
    assert after["rate"] > 0
    all_of_a_kind = {"canary": "canary QUEUE", "tier": "tier TIER"}
    assert {all_of_a_kind.get(name.split()[0], name) for name in after} == documented()


def documented() -> set[str]:
    """The vitals in the table of the page about health; that of a queue and of a tier stand for all of them."""
    page = Path(__file__).parents[4] / "docs" / "how-to" / "health.md"
    rows = [line for line in page.read_text().split("## Metrics")[0].splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
