"""What stops and waits for somebody: runs that await an approval, the switch for deletes."""

import re
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two artifacts are the limit."""
    monkeypatch.setenv("TIERKEEPER_ENGINE__BRAKE_SHARE", "0")
    monkeypatch.setenv("TIERKEEPER_ENGINE__BRAKE_COUNT", "2")


@pytest.fixture
def run(tk: Tierkeeper, stored: Stored) -> str:
    """A run that stopped three deletions by policy."""
    for name in ("a.txt", "b.txt", "c.txt"):
        stored(name, name, "--created", "100d")
    assert tk("-o", "json", "lifecycle", "run", "--live").json["deleted"] == 0
    (found,) = tk("-o", "json", "runs", "list", "--kind", "purge").json
    return str(found["id"])


@pytest.mark.row("F2")
def test_a_stopped_purge_is_shown_and_approved(tk: Tierkeeper, run: str) -> None:
    """The run says what, why and who; approved by the end of its id, the next run deletes what it counted."""
    shown = tk("runs", "show", run).out
    assert "awaiting approval" in shown
    assert "delete 3 artifacts of acme" in shown
    assert "w/a.txt@1" in shown
    assert tk("runs", "approve", run).code == 2
    asked = tk("lifecycle", "run").err
    for verb in ("show", "approve", "reject"):
        assert f"tierkeeper runs {verb} {run[-8:]}" in asked
    approved = tk("runs", "approve", run[-8:], "--reason", "planned")
    assert approved.out == f"run {run} is approved: 3 artifacts are deleted by the next sweep\n"
    assert tk("-o", "json", "lifecycle", "run", "--live").json["deleted"] == 3
    assert re.search(r"approved +by \S+ at [0-9-]{10} [0-9:]{8}(Z|[+-]\d\d:\d\d): planned", tk("runs", "show", run).out)
    assert tk("runs", "reject", run, "--reason", "late").code == 5


@pytest.mark.row("F2", "rejected")
@pytest.mark.row("F3", "what blocks the next step")
def test_a_rejected_one_keeps_everything(tk: Tierkeeper, run: str) -> None:
    """After a reject the artifacts stay, and say until when."""
    done = tk("-o", "json", "runs", "reject", run, "--reason", "no").json
    assert (done["state"], done["approval"]["reason"]) == ("rejected", "no")
    assert "is rejected: 3 artifacts are kept" in tk("runs", "reject", run, "--reason", "no").out
    assert tk("-o", "json", "lifecycle", "run", "--live").json["deleted"] == 0
    assert "no policy deletes it before" in tk("explain", "acme/w/a.txt").out
    assert "no policy deletes it before" in tk("lifecycle", "plan", "--as-of", "10d").out


def test_a_dry_run_tells_of_the_brake(tk: Tierkeeper, stored: Stored) -> None:
    """What the brake would stop is said by a dry run of the lifecycle and of a purge by filter; nothing is written."""
    for name in ("a.txt", "b.txt", "c.txt"):
        stored(name, name, "--created", "100d")
    assert "3 would be left: the brake" in tk("lifecycle", "run").err
    assert sum(tk("-o", "json", "lifecycle", "run").json["blocked"].values()) == 3
    tried = tk("purge", "--tenant", "acme", "--workflow", "w", "--dry-run")
    assert (tried.code, "the brake would stop this: 3 artifacts of acme" in tried.err) == (0, True), tried.err
    assert tk("-o", "json", "runs", "list", "--kind", "purge").json == []
    assert "brake" not in tk("purge", "acme/w/a.txt", "--dry-run").err


@pytest.mark.row("F2", "a purge by filter")
def test_a_purge_by_filter_asks_somebody(tk: Tierkeeper, stored: Stored) -> None:
    """Above the limit it is refused and nothing changes; approved, the same command goes, once."""
    for name in ("a.txt", "b.txt", "c.txt"):
        stored(name, name)
    purge = ("purge", "--tenant", "acme", "--workflow", "w", "--yes")
    assert tk(*purge, "--dry-run").code == 0
    refused = tk(*purge)
    assert refused.code == 5
    assert "3 artifacts of acme" in refused.err
    assert tk("-o", "json", "show", "acme/w/a.txt").json["state"] == "live"
    assert tk(*purge).code == 5
    (found,) = tk("-o", "json", "runs", "list", "--kind", "purge").json
    approved = tk("runs", "approve", found["id"], "--reason", "they asked for it").out
    assert "give the same command again; it may purge 3 artifacts" in approved
    stored("d.txt", "one more than was counted")
    assert tk(*purge).code == 5
    assert tk("purge", "acme/w/d.txt", "--yes").code == 0
    assert tk(*purge).code == 0
    assert tk("-o", "json", "show", "acme/w/a.txt").json["state"] == "deleted"


def test_deletes_are_switched(tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off: a run tells its moves, deletes nothing and says why and what to do; on again it does. Each is one event."""
    monkeypatch.setenv("TIERKEEPER_ENGINE__GRACE", "0s")
    stored("a.txt", "a", "--created", "8d")
    assert tk("deletes", "off").code == 2
    assert tk("-o", "json", "deletes", "off", "--reason", "an audit").json["enabled"] is False
    assert tk("deletes", "off", "--reason", "again").code == 0
    assert tk("-o", "json", "deletes", "status").json["reason"] == "an audit"
    run = tk("lifecycle", "run", "--live")
    assert run.code == 5
    assert "moved to warm" in run.out
    assert "an audit" in run.err
    assert "tierkeeper deletes on" in run.err
    refused = tk("-o", "json", "lifecycle", "run", "--live")
    assert (refused.code, refused.json["dry_run"]) == (5, False)
    hot = tmp_path / "home" / "tiers" / "hot"
    assert [p for p in hot.rglob("a.txt/*") if p.is_file()]
    assert tk("deletes", "on", "--reason", "it is over").code == 0
    assert tk("lifecycle", "run", "--live").code == 0
    told = tk("events", "--type", "deletes switched").out
    assert told.count("deletes switched") == 2


@pytest.mark.row("F1", "run exactly that plan")
def test_a_plan_is_stored_and_applied(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """A stored plan is listed, tried and applied by the end of its id, once; the summary tells rules and refusals."""
    stored("a.txt", "a", "--created", "8d")
    stored("b.txt", "b", "--created", "8d")
    kept = tk("-o", "json", "lifecycle", "plan", "--store").json
    assert [line["artifacts"] for line in kept["summary"]["rules"]] == [2]
    plan = kept["id"]
    assert plan[-8:] in tk("lifecycle", "plans").out
    tried = tk("-o", "json", "lifecycle", "apply", plan[-8:], "--dry-run").json
    assert (tried["dry_run"], tried["counts"]) == (True, {"move: done": 2})
    tk("promote", "acme/w/b.txt", "--to-tier", "cold")
    done = tk("-o", "json", "lifecycle", "apply", plan).json
    assert done["counts"] == {"move: done": 1, "move: nothing to do": 1}
    assert tk("-o", "json", "show", "acme/w/a.txt").json["wanted"] == ["warm"]
    assert tk("lifecycle", "apply", plan).code == 5
    assert tk("lifecycle", "apply", "0" * 8).code == 3
    assert "no plans" not in tk("lifecycle", "plans").out


def test_a_plan_leads_to_its_apply(tk: Tierkeeper, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its short id comes with the command that tries it, and is whole in a narrow terminal; a dry run only would."""
    stored("a.txt", "a", "--created", "8d")
    kept = tk("lifecycle", "plan", "--store")
    (plan,) = [one["id"] for one in tk("-o", "json", "lifecycle", "plans").json]
    assert f"plan {plan[-8:]}, to be applied until" in kept.out
    assert f"tierkeeper lifecycle apply {plan[-8:]} --dry-run" in kept.err
    monkeypatch.setenv("COLUMNS", "60")
    assert plan[-8:] in tk("lifecycle", "plans").out
    tried = tk("lifecycle", "apply", plan[-8:], "--dry-run").out
    assert "move: would be done" in tried
    assert "move: done" not in tried
    assert "move: done" in tk("lifecycle", "apply", plan[-8:]).out


@pytest.mark.row("F1", "a plan before a policy takes effect")
def test_a_plan_by_a_policy_to_come(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """With --policy it says what that would do, and where the brake would ask."""
    for name in ("a.txt", "b.txt", "c.txt"):
        stored(name, name, "--created", "2d")
    file = tmp_path / "soon.yaml"
    file.write_text("name: soon\nmatch: {workflow: w}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: []}]\n")
    told = tk("lifecycle", "plan", "--policy", str(file))
    assert "soon v1: phase 1d" in told.out
    assert "the brake will ask: 3 artifacts of acme" in told.err
    assert tk("-o", "json", "lifecycle", "plan").json == []
