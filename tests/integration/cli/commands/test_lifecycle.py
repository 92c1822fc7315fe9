"""lifecycle, explain, stats, events, runs, verify: the sweeps and what they say of themselves."""

import json
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper

from tierkeeper.base.errors import CatalogUnavailable


@pytest.mark.row("B4", "dry run, --live, --verbose")
@pytest.mark.row("B4", "counts of promoted, deleted and errors; duration")
def test_a_run_is_a_dry_run_unless_it_is_live(tk: Tierkeeper, stored: Stored) -> None:
    """The dry run tells exactly what the live run then does."""
    stored("new.txt", "new")
    stored("warm.txt", "warm", "--created", "10d")
    stored("cold.txt", "cold", "--created", "40d")
    stored("old.txt", "old", "--created", "100d")
    tried = tk("-o", "json", "lifecycle", "run", "-v").json
    assert (tried["promoted_to_warm"], tried["promoted_to_cold"], tried["deleted"]) == (1, 1, 1)
    assert tried["dry_run"] is True
    assert {item["ref"]["name"] for item in tried["items"]} == {"warm.txt", "cold.txt", "old.txt"}
    assert tk("-o", "json", "show", "acme/w/warm.txt").json["wanted"] == ["hot"]
    done = tk("-o", "json", "lifecycle", "run", "--live").json
    assert (done["promoted_to_warm"], done["promoted_to_cold"], done["deleted"]) == (1, 1, 1)
    assert (done["total_errors"], done["dry_run"]) == (0, False)
    assert done["job_duration_seconds"] > 0
    assert tk("-o", "json", "show", "acme/w/warm.txt").json["wanted"] == ["warm"]
    assert tk("-o", "json", "show", "acme/w/old.txt").json["state"] == "deleted"
    again = tk("-o", "json", "lifecycle", "run", "--live").json
    assert (again["promoted_to_warm"], again["deleted"]) == (0, 0)


def test_an_edit_that_cannot_be_recomputed_keeps_nothing_else(
    tk: Tierkeeper, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is due is moved all the same; then the edit's error is said."""
    stored("warm.txt", "warm", "--created", "10d")

    def fails(*_: object, **__: object) -> None:
        raise CatalogUnavailable(reason="a bad edit")

    monkeypatch.setattr("tierkeeper.engine.policies.recompute.recompute", fails)
    done = tk("lifecycle", "run", "--live")
    assert (done.code != 0, "a bad edit" in done.err) == (True, True)
    assert tk("-o", "json", "show", "acme/w/warm.txt").json["wanted"] == ["warm"]


def test_a_plan_gives_the_reason_for_each_and_can_look_ahead(tk: Tierkeeper, stored: Stored) -> None:
    """The plan names rule and reason, and --as-of says what will be due then."""
    ref = stored("a.txt", "a", "--created", "5d")
    assert tk("-o", "json", "lifecycle", "plan").json == []
    (item,) = tk("-o", "json", "lifecycle", "plan", "--as-of", "2999-01-01T00:00Z").json
    assert item["action"] == "delete"
    stored("b.txt", "b", "--created", "8d")
    shown = tk("lifecycle", "plan").out
    assert "acme/w/b.txt" in shown
    assert "7d" in shown
    assert ref not in shown
    stored("c.txt", "c", "--created", "9d")
    assert tk("lifecycle", "plan").out.count("belongs in warm") == 1


@pytest.mark.row("B4", "--summary")
def test_the_summary_tells_tiers_due_and_runs(tk: Tierkeeper, stored: Stored) -> None:
    """One look: what lies where, what is due, what was done."""
    stored("a.txt", "a", "--created", "8d")
    told = tk("-o", "json", "lifecycle", "summary").json
    assert told["due"] == 1
    assert "move to warm, due now" in tk("ls").out
    run = tk("lifecycle", "run", "--live")
    assert (run.code, "collecting" in run.err) == (0, False)
    told = tk("-o", "json", "lifecycle", "summary").json
    assert told["due"] == 0
    assert {run["kind"] for run in told["last_runs"]} >= {"rotate"}
    assert "due now: 0 artifacts" in tk("lifecycle", "summary").out


@pytest.mark.row("F3", "where, by which rule, what is next")
def test_explain_says_why_and_what_comes_next(tk: Tierkeeper, stored: Stored) -> None:
    """Where the copies are, which rule put them there, what is next and when, and the history."""
    ref = stored("a.txt", "a", "--created", "8d")
    tk("lifecycle", "run", "--live")
    told = tk("-o", "json", "explain", ref).json
    assert set(told["placed_by"]) == {"warm"}
    assert "default" in told["rule"]
    assert told["next_step"] == "move to cold"
    assert told["history"]
    text = tk("explain", ref).out
    assert "move to cold" in text
    assert "warm" in text
    assert tk("explain", "acme/w/nothing").code == 3


@pytest.mark.row("B9", "count and bytes of each tier")
def test_stats_count_present_and_doomed_apart(tk: Tierkeeper, stored: Stored) -> None:
    """What waits to be deleted is not counted as there."""
    stored("a.txt", "12345", "--created", "8d")
    tk("lifecycle", "run", "--live")
    by_tier = {one["tier"]: one for one in tk("-o", "json", "stats", "--tenant", "acme").json}
    assert (by_tier["warm"]["present"], by_tier["warm"]["present_bytes"]) == (1, 5)
    assert (by_tier["hot"]["present"], by_tier["hot"]["doomed"]) == (0, 1)
    assert "doomed" in tk("stats").out


@pytest.mark.row("B8", "export as JSON lines")
@pytest.mark.row("B8", "recent events")
def test_events_are_json_lines_with_the_known_fields(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """Printed or exported, each line has the seven fields that readers of such logs know, and ours."""
    ref = stored("a.txt", "a", "--created", "8d")
    tk("lifecycle", "run", "--live")
    lines = [json.loads(line) for line in tk("-o", "json", "events", ref).out.splitlines()]
    known = {"timestamp", "event_type", "tenant_id", "workflow_id", "artifact_id", "age_days", "dry_run"}
    assert all(known <= set(line) for line in lines)
    assert {line["artifact_id"] for line in lines} == {"a.txt"}
    assert "promoted_to_warm" in {line["event_type"] for line in lines}
    assert lines[-1]["timestamp"] <= lines[0]["timestamp"]
    assert tk("events", "--export", str(tmp_path / "log" / "events.jsonl")).code == 0
    exported = [json.loads(line) for line in (tmp_path / "log" / "events.jsonl").read_text().splitlines()]
    assert [line["timestamp"] for line in exported] == sorted(line["timestamp"] for line in exported)
    assert tk("events", "--export").code == 4
    assert "a.txt" in tk("events").out


def test_runs_are_listed_and_shown(tk: Tierkeeper, stored: Stored) -> None:
    """Each sweep left a record with its counts."""
    stored("a.txt", "a", "--created", "8d")
    run = tk("-o", "json", "lifecycle", "run", "--live").json["run"]
    assert run in {one["id"] for one in tk("-o", "json", "runs", "list", "--kind", "rotate").json}
    assert tk("-o", "json", "runs", "show", run).json["state"] == "done"
    assert run in tk("runs", "show", run).out
    assert run[-8:] in tk("runs", "list").out
    assert tk("-o", "json", "runs", "show", run[-8:]).json["id"] == run
    assert tk("runs", "show", run[-7:]).code == 4


@pytest.mark.row("B13")
def test_verify_finds_a_changed_copy(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """Good copies pass; one changed behind our back is reported and the exit code tells."""
    stored("a.txt", "good")
    assert tk("verify").code == 0
    (copy,) = [p for p in (tmp_path / "home" / "tiers" / "hot").rglob("*") if p.is_file() and p.read_bytes() == b"good"]
    copy.chmod(0o600)
    copy.write_bytes(b"evil")
    assert tk("verify", "--tenant", "acme").code == 7
