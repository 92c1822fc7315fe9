"""Beat alone turns the tiers."""

from datetime import timedelta

import pytest
from support.deployment import Deployment, wait_for

from acceptance import journeys
from tierkeeper.base.states import ArtifactState, RunKind

AGES = {"new.txt": 1, "week.txt": 8, "month.txt": 31, "quarter.txt": 91}  # days
BEAT_SECONDS = 75  # its crontab is every minute


@pytest.mark.row("W3", "tier rotation")
@pytest.mark.row("W3", "retention sweeps")
@pytest.mark.row("B1", "hot, warm, cold by age")
@pytest.mark.slow
@pytest.mark.parametrize("extra_settings", [journeys.QUICK])
def test_beat_rotates_by_itself(deployment: Deployment) -> None:
    """Without anybody asking, each artifact gets to the tier of its age within a minute, and the oldest is deleted."""
    for name, days in AGES.items():
        assert deployment.store(name, name.encode(), age=timedelta(days=days))["tiers"] == ["hot"]
    beats = [deployment.beat(), deployment.beat()]  # two at once change nothing
    try:
        wait_for(
            lambda: (
                deployment.show("quarter.txt").state is not ArtifactState.LIVE
                and deployment.tiers("week.txt") == {"warm"}
                and deployment.tiers("month.txt") == {"cold"}
            ),
            timeout=BEAT_SECONDS,
            what="the rotation by Beat",
        )
        wait_for(
            lambda: deployment.keeper.health.check().healthy,
            timeout=BEAT_SECONDS,
            what="a canary through every queue",
            every=0.5,
        )
    finally:
        for beat in beats:
            beat.teardown()
    assert deployment.tiers("new.txt") == {"hot"}
    for name in ("new.txt", "week.txt", "month.txt"):
        assert deployment.read(name) == name.encode()
    runs = [run for run in deployment.keeper.runs.latest() if run.kind is RunKind.ROTATE]
    assert runs
    assert {run.actor for run in runs} == {"beat"}
    moved = {name: deployment.keeper.artifacts.explain(deployment.show(name).ref) for name in ("week.txt", "month.txt")}
    assert all("default" in why.rule for why in moved.values())
