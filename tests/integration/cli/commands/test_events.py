"""`tierkeeper events` and its verb: the audit log, and its old months."""

import json
from pathlib import Path

from integration.cli.terminal import Stored, Tierkeeper
from support import months
from support.house import House

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load


def test_old_months_are_moved_into_files(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """They are told, asked for, moved; and who looks at an artifact is told which file has its events."""
    name = stored("a.txt", "a")
    settings = load()
    with Keeper.open(settings) as keeper:
        months.age(House(keeper, settings))
        months.dumped(House(keeper, settings))
    before, target = f"{months.this_month():%Y-%m}", tmp_path / "events"
    target.mkdir()
    detach = ("events", "detach", "--before", before, "--to", str(target))
    dry = tk("-o", "json", *detach, "--dry-run")
    assert dry.code == 0, dry.err
    assert [(month["outcome"], month["dry_run"]) for month in dry.json] == [("done", True)] * len(dry.json) != []
    assert tk(*detach, stdin="n\n").code != 0
    assert list(target.iterdir()) == []
    done = tk(*detach, "--yes")
    assert done.code == 0, done.err
    assert done.out.count(" detached ") == len(dry.json) == len(list(target.iterdir()))
    words = f"events before {before} are in {target}/lifecycle_events-"
    listed = tk("events", name)
    assert ("no events" in listed.err, words in listed.err) == (True, True)
    begun = tk("-o", "json", "events", "--after", "0")
    assert (begun.code, words in begun.err) == (0, True)
    assert words in tk("--utc", "show", name).out
    assert words in tk("explain", name).out
    assert tk("-o", "json", "show", name).json["events_cut"]["before"] == f"{before}-01T00:00:00+00:00"
    again = tk(*detach, "--yes")
    assert (again.code, f"no month before {before}" in again.err) == (0, True)


def test_a_month_is_written_as_one(tk: Tierkeeper, tmp_path: Path) -> None:
    """Anything else is a usage error; a month that may still get events is refused, and so is a missing folder."""
    assert tk("events", "detach", "--before", "2026", "--to", str(tmp_path)).code == 2
    assert tk("events", "detach", "--before", "2999-01", "--to", str(tmp_path), "--yes").code == 4
    assert tk("events", "detach", "--before", "2020-01", "--to", str(tmp_path / "none"), "--yes").code == 4


def test_who_follows_the_log_gets_each_event_once(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """From the beginning, then from the last line's position on; into a file as well; with no filter."""
    stored("a.txt", "a")
    first = tk("-o", "json", "events", "--after", "0")
    assert first.code == 0, first.err
    lines = [json.loads(line) for line in first.out.splitlines()]
    assert [line["event_type"] for line in lines if line["artifact_id"] == "a.txt"] == ["stored"]
    stored("b.txt", "b")
    target = tmp_path / "more.jsonl"
    assert tk("events", "--after", lines[-1]["position"], "--export", str(target)).code == 0
    more = [json.loads(line) for line in target.read_text().splitlines()]
    assert {line["position"] for line in more} & {line["position"] for line in lines} == set()
    assert [line["artifact_id"] for line in more if line["event_type"] == "stored"] == ["b.txt"]
    assert "no events" in tk("events", "--after", more[-1]["position"]).err
    few = tk("-o", "json", "events", "--after", "0", "--limit", "1").out.splitlines()
    assert [json.loads(line) for line in few] == lines[:1]
    assert tk("events", "--after", "nonsense").code == 4
    assert tk("events", "--after", "0", "--type", "stored").code == 2
