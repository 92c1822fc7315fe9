"""Ends from the command line: by age and by number, for a tenant and for an artifact; taken back, and told."""

from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper


def where(tk: Tierkeeper, ref: str) -> tuple[str, list[str]]:
    """The state of an artifact, and the tiers that it is wanted in."""
    view = tk("-o", "json", "show", ref).json
    return str(view["state"]), view["wanted"]


@pytest.mark.row("B1", "set by HOT_, WARM_ and COLD_RETENTION_DAYS")
def test_the_settings_say_when(tk: Tierkeeper, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 2, 5 and 9 days each artifact goes to the tier of its age, and the oldest is deleted."""
    for name, days in {"HOT": 2, "WARM": 5, "COLD": 9}.items():
        monkeypatch.setenv(f"{name}_RETENTION_DAYS", str(days))
    assert tk("init").code == 0
    refs = {days: stored(f"{days}.txt", f"{days}", "--created", f"{days}d") for days in (1, 3, 6, 10)}
    assert tk("lifecycle", "run", "--live").code == 0
    assert [where(tk, refs[days])[1] for days in (1, 3, 6)] == [["hot"], ["warm"], ["cold"]]
    assert where(tk, refs[10])[0] == "deleted"


@pytest.mark.row("B12")
def test_retention_of_a_tenant_and_of_an_artifact(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """A policy gives one tenant a longer life than the others have, and metadata gives it to one artifact."""
    file = tmp_path / "careful.yaml"
    file.write_text("name: careful\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 200d, in: []}]\n")
    assert tk("policy", "apply", str(file)).code == 0
    of_acme = stored("a.txt", "a", "--created", "100d")
    (tmp_path / "b.txt").write_text("b")
    for name, more in {"b.txt": (), "c.txt": ("--metadata", "retention_override=1_years")}.items():
        options = ("--tenant", "other", "--workflow", "w", "--name", name, "--created", "100d", *more)
        assert tk("store", str(tmp_path / "b.txt"), *options).code == 0
    assert tk("lifecycle", "run", "--live").code == 0
    states = {ref: where(tk, ref)[0] for ref in (of_acme, "other/w/b.txt", "other/w/c.txt")}
    assert states == {of_acme: "live", "other/w/b.txt": "deleted", "other/w/c.txt": "live"}


@pytest.mark.row("C8", "a cap, and its cleanup")
def test_versions_beyond_the_cap_go(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """Where a policy keeps two versions, the next run deletes the older ones; the others are read as before."""
    file = tmp_path / "two.yaml"
    file.write_text("name: two\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 2}\n")
    assert tk("policy", "apply", str(file)).code == 0
    (ref,) = {stored("a.txt", content) for content in ("one", "two", "three")}
    assert tk("lifecycle", "run", "--live").code == 0
    assert where(tk, f"{ref}@1")[0] == "deleted"
    assert [tk("get", one, "-").out for one in (f"{ref}@2", ref)] == ["two", "three"]


@pytest.mark.row("F4")
def test_what_a_policy_deleted_can_be_taken_back(tk: Tierkeeper, stored: Stored) -> None:
    """Within the undo window it comes back byte for byte, and stays, though its policy would purge it."""
    ref = stored("old.txt", "precious", "--created", "100d")
    assert tk("lifecycle", "run", "--live").code == 0
    assert where(tk, ref)[0] == "deleted"
    assert tk("get", ref, "-").code == 3
    assert tk("undelete", ref).code == 0
    assert tk("lifecycle", "run", "--live").code == 0
    assert where(tk, ref)[0] == "live"
    assert tk("get", ref, "-").out == "precious"


@pytest.mark.row("F3", "of what was purged: who, why, when")
def test_explain_of_what_was_purged(tk: Tierkeeper, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing is left of an artifact, `explain` still tells who purged it, why and when."""
    monkeypatch.setenv("TIERKEEPER_ENGINE__UNDO", "0s")
    assert tk("init").code == 0
    ref = stored("old.txt", "old")
    assert tk("purge", ref, "--yes", "--reason", "a mistake").code == 0
    assert tk("lifecycle", "run", "--live").code == 0
    told = tk("-o", "json", "explain", ref).json
    assert told["artifact"]["state"] == "purged"
    (deleted,) = [event for event in told["history"] if event["type"] == "deleted"]
    assert deleted["actor"].startswith("cli:")
    assert deleted["after"]["reason"] == "a mistake"
    assert deleted["at"]
    assert "purged" in {event["type"] for event in told["history"]}
