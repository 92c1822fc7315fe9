"""reconcile on the command line: what it prints, as a table and as JSON, and its exit codes."""

from pathlib import Path

import psycopg
import pytest
from integration.cli.terminal import Stored, Tierkeeper

from tierkeeper.base.ids import new_id


def orphans(tmp_path: Path, database_url: str, number: int) -> None:
    """Put so many files into hot that came when their intents were collected already."""
    folder = tmp_path / "home" / "tiers" / "hot" / "acme" / "w" / "late.txt"
    folder.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        for _ in range(number):
            placement = new_id()
            connection.execute(
                "INSERT INTO events (subject, revision, type, actor, before) VALUES (%s, 1, 'collected', 'beat',"
                " jsonb_build_object('tier', 'hot', 'location', %s::text))",
                [placement, f"acme/w/late.txt/1-{placement}"],
            )
            (folder / f"1-{placement}").write_text("late")


def file_of(tk: Tierkeeper, tmp_path: Path, ref: str) -> Path:
    """The file of an artifact's copy in hot."""
    (copy,) = tk("-o", "json", "show", ref).json["placements"]
    return tmp_path / "home" / "tiers" / "hot" / str(copy["location"])


def test_what_agrees(tk: Tierkeeper, stored: Stored) -> None:
    """Where nothing differs the tiers are listed with their counts, and the exit code is 0."""
    stored("a.txt")
    done = tk("reconcile")
    assert done.code == 0
    assert [line.split()[:3] for line in done.out.splitlines() if line.startswith("hot")] == [["hot", "1", "1"]]
    document = tk("-o", "json", "reconcile", "--tier", "hot", "--tier", "warm").json
    assert (document["state"], document["held_back"], document["findings"]) == ("done", None, [])
    assert [tier["tier"] for tier in document["tiers"]] == ["hot", "warm"]
    assert tk("runs", "list", "--kind", "reconcile").out.count("reconcile") == 2


@pytest.mark.row("F8", "orphans and missing copies")
def test_findings_are_listed_with_their_reasons(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, database_url: str
) -> None:
    """Each finding says where, what would be done and why; what is lost makes the exit code 7."""
    ref = stored("a.txt")
    orphans(tmp_path, database_url, 1)
    file_of(tk, tmp_path, ref).unlink()
    dry = tk("reconcile", "--dry-run")
    assert dry.code == 7
    for words in ("no placement knows these bytes", "quarantine", "nothing is at its location", "lost", f"{ref}@1"):
        assert words in dry.out
    assert "LOST" in dry.err
    assert "a dry run" in dry.err
    assert tk("runs", "list", "--kind", "reconcile").out == ""
    live = tk("-o", "json", "reconcile")
    assert (live.code, live.json["counts"]["reported"], live.json["lost"]) == (7, 1, 1)
    assert {finding["kind"] for finding in live.json["findings"]} == {"orphan", "missing"}
    assert tk("-o", "json", "events", ref, "--type", "damaged").json


@pytest.mark.row("F8", "safe repair: too much waits for an approval")
def test_it_stops_until_it_is_approved(tk: Tierkeeper, stored: Stored, tmp_path: Path, database_url: str) -> None:
    """Too many findings end with exit code 5 and the command that approves; then it goes on."""
    stored("a.txt")
    orphans(tmp_path, database_url, 12)
    stopped = tk("reconcile")
    assert stopped.code == 5
    assert "too much differs to be true: in hot 12 of 13, where the limit is 10" in stopped.err
    run = stopped.err.split("runs approve ")[1].split()[0]
    approved = tk("runs", "approve", run, "--reason", "they are late writes").out
    assert "is approved: the next reconcile acts on what was found (hot 12)" in approved
    assert tk("reconcile").code == 0
    assert tk("reconcile").code == 5


def test_misuse(tk: Tierkeeper) -> None:
    """A tier that there is not is bad input; --enqueue takes neither tiers nor a dry run."""
    assert tk("reconcile", "--tier", "tepid").code == 4
    assert tk("reconcile", "--enqueue", "--dry-run").code == 2
    assert tk("reconcile", "--enqueue", "--tier", "hot").code == 2
    assert "tierkeeper.reconcile" in tk("reconcile", "--enqueue").out
