"""promote, archive, restore, purge, undelete: one artifact or many, tried first, done, taken back."""

import pytest
from integration.cli.terminal import Stored, Tierkeeper


def _tiers(tk: Tierkeeper, ref: str) -> list[str]:
    placements = tk("-o", "json", "show", ref).json["placements"]
    return [one["tier"] for one in placements if one["state"] == "present"]


@pytest.mark.row("B2", "promote to a colder tier")
@pytest.mark.row("B5", "one")
@pytest.mark.row("W5", "in this process")
def test_promote_archive_and_restore_move_copies(tk: Tierkeeper, stored: Stored) -> None:
    """Promote replaces the tier, archive goes to the coldest, restore adds the hottest."""
    ref = stored()
    assert tk("promote", ref, "--to", "warm").code == 0
    assert _tiers(tk, ref) == ["warm"]
    assert tk("archive", ref, "--reason", "done with it").code == 0
    assert _tiers(tk, ref) == ["cold"]
    done = tk("-o", "json", "restore", ref, "--for", "3d")
    assert (done.code, done.json[0]["outcome"]) == (0, "done")
    assert _tiers(tk, ref) == ["hot", "cold"]


@pytest.mark.row("B2", "dry run")
@pytest.mark.parametrize("verb", [("promote", "--to", "warm"), ("archive",), ("purge",)])
def test_a_dry_run_says_why_and_changes_nothing(tk: Tierkeeper, stored: Stored, verb: tuple[str, ...]) -> None:
    """A dry run gives an outcome and a reason for each artifact and leaves all as it was."""
    ref = stored()
    before = tk("-o", "json", "show", ref).json
    tried = tk("-o", "json", verb[0], ref, *verb[1:], "--dry-run")
    assert tried.code == 0
    assert tried.json[0]["dry_run"] is True
    assert tried.json[0]["detail"]
    assert tk("-o", "json", "show", ref).json == before


def test_a_filter_selects_many(tk: Tierkeeper, stored: Stored) -> None:
    """Verbs act on what a filter selects, and only on that."""
    for name in ("a.md", "b.md", "c.txt"):
        stored(name, name)
    done = tk("-o", "json", "archive", "--tenant", "acme", "--name", "*.md")
    assert done.code == 0
    assert len(done.json) == 2
    assert _tiers(tk, "acme/w/c.txt") == ["hot"]
    assert _tiers(tk, "acme/w/b.md") == ["cold"]
    assert tk("archive", "--tenant", "acme", "--name", "*.nothing").code == 3
    assert tk("archive", "--tenant", "acme").code == 2
    assert tk("archive", "acme/w/a.md", "--name", "*").code == 2


@pytest.mark.row("B5", "list")
@pytest.mark.row("B5", "the first")
@pytest.mark.row("B5", "dry run")
def test_restore_lists_and_selects(tk: Tierkeeper, stored: Stored) -> None:
    """--list shows what is away from hot, --auto-select restores the first of it."""
    stored("a.txt", "a")
    stored("b.txt", "b")
    tk("archive", "acme/w/b.txt")
    listed = tk("-o", "json", "restore", "--tenant", "acme", "--from-tier", "cold", "--list")
    assert [one["ref"]["name"] for one in listed.json] == ["b.txt"]
    tried = tk("-o", "json", "restore", "--tenant", "acme", "--from-tier", "cold", "--auto-select", "--dry-run")
    assert tried.json[0]["ref"]["name"] == "b.txt"
    assert tk("restore", "--tenant", "acme", "--from-tier", "cold", "--auto-select").code == 0
    assert _tiers(tk, "acme/w/b.txt") == ["hot", "cold"]
    assert tk("restore", "--tenant", "acme", "--auto-select").code == 3


@pytest.mark.row("B5", "in bulk")
@pytest.mark.row("B2", "promote to a hotter tier")
def test_what_a_filter_selects_comes_back(tk: Tierkeeper, stored: Stored) -> None:
    """A restore by filter brings all of it beside the cold copies; a promote to hot replaces them."""
    for name in ("a.md", "b.md", "c.txt"):
        stored(name, name)
    assert tk("archive", "--tenant", "acme", "--workflow", "w").code == 0
    tried = tk("-o", "json", "restore", "--tenant", "acme", "--name", "*.md", "--dry-run").json
    assert [one["ref"]["name"] for one in tried] == ["a.md", "b.md"]
    assert tk("restore", "--tenant", "acme", "--name", "*.md").code == 0
    assert tk("promote", "acme/w/c.txt", "--to", "hot").code == 0
    assert [_tiers(tk, f"acme/w/{name}") for name in ("a.md", "b.md", "c.txt")] == [["hot", "cold"]] * 2 + [["hot"]]


def test_purge_asks_and_can_be_taken_back(tk: Tierkeeper, stored: Stored) -> None:
    """A no leaves all as it was; a purged artifact says until when it can be undeleted, and can."""
    ref = stored()
    assert tk("purge", ref, stdin="n\n").code == 130
    unasked = tk("purge", ref)
    assert (unasked.code, "Purge 1 artifact?" in unasked.err, "with --yes" in unasked.err) == (4, True, True)
    assert tk("-o", "json", "show", ref).json["state"] == "live"
    assert tk("purge", ref, stdin="y\n").code == 0
    gone = tk("get", ref, "-")
    assert gone.code == 3
    assert "undelete" in gone.err
    assert tk("get", ref, "-", "--deleted").out == "content"
    assert tk("undelete", ref).code == 0
    assert tk("get", ref, "-").out == "content"
    assert tk("undelete", ref).code == 5


def test_one_that_fails_does_not_stop_the_others(tk: Tierkeeper, stored: Stored) -> None:
    """Of several artifacts each is tried, and the exit code tells that some failed."""
    ref = stored()
    done = tk("-o", "json", "archive", "acme/w/nothing", ref)
    assert done.code == 7
    assert done.json[0]["error"]["error"] == "ArtifactNotFound"
    assert _tiers(tk, ref) == ["cold"]
    assert tk("archive", "acme/w/nothing").code == 3


def test_enqueue_sends_and_does_nothing_here(tk: Tierkeeper, stored: Stored) -> None:
    """--enqueue prints the task and leaves the work to a worker."""
    ref = stored()
    sent = tk("-o", "json", "archive", ref, "--enqueue")
    assert sent.code == 0
    assert sent.json[0]["task"]
    assert _tiers(tk, ref) == ["hot"]
    waited = tk("archive", ref, "--enqueue", "--wait", "1s")
    assert waited.code == 6
    assert tk("archive", ref, "--enqueue", "--dry-run").code == 2
