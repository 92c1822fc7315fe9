"""What is stuck, as an operator sees and steers it; and verbs while the broker is away."""

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from integration.cli.terminal import Stored, Tierkeeper
from support import ports

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper.values.parking import DeadLetter, Sent

MESSAGE = {"tenant": "acme", "workflow": "w", "name": "m.txt", "content": {"kind": "inline", "data": ""}}


def park(database_url: str, name: str, reason: str) -> None:
    """Park an artifact, as a sweep does."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE schedule SET parked_reason = %s, attempts = 6, due_at = now() WHERE artifact_id = (SELECT a.id"
            " FROM artifacts a JOIN names n ON n.id = a.name_id WHERE n.name = %s)",
            (reason, name),
        )


@pytest.fixture
def stuck(stored: Stored, database_url: str) -> None:
    """Two parked artifacts and a parked message."""
    for name, reason in (("a.txt", "no readable copy"), ("b.md", "given up after 5 attempts")):
        stored(name, name)
        park(database_url, name, reason)
    with Keeper.open(load(environ={}, catalog={"url": database_url})) as keeper:
        keeper.deliveries.park(Sent("tierkeeper.store", "key-1", MESSAGE), reason="given up")


def test_the_size_of_a_dead_letter(tk: Tierkeeper, stored: Stored, database_url: str) -> None:
    """The bytes of all of a refused message stand in the list, beside it and in JSON; nothing else has a size."""
    stored("a.txt", "a")
    park(database_url, "a.txt", "no readable copy")
    assert "size" not in tk("parked", "list").out
    letter = DeadLetter(b"x", 3 * 1024**2, b"hash", "too large", "redis", "verbs", "unknown")
    with Keeper.open(load(environ={}, catalog={"url": database_url})) as keeper:
        keeper.deliveries.refuse(letter)
    assert [one["size"] for one in tk("-o", "json", "parked", "list").json] == [None, letter.size]
    assert "3 MiB" in tk("parked", "list").out
    assert "3 MiB" in tk("parked", "show", b"hash".hex()).out


@pytest.mark.row("F12", "listed")
@pytest.mark.usefixtures("stuck")
def test_what_is_parked_is_listed_and_shown(tk: Tierkeeper) -> None:
    """Artifacts and messages are listed with their reasons, by filter, and shown by name, key or id."""
    listed = tk("-o", "json", "parked", "list").json
    assert [one["key"] or one["ref"]["name"] for one in listed] == ["a.txt", "b.md", "key-1"]
    assert [one["reason"] for one in listed] == ["no readable copy", "given up after 5 attempts", "given up"]
    for options, count in {
        ("--reason", "GIVEN"): 2,
        ("--name", "*.md"): 1,
        ("--kind", "delivery"): 1,
        ("--tenant", "other"): 0,
        ("--workflow", "w", "--kind", "artifact"): 2,
        ("--state", "waiting"): 0,
        ("--state", "any"): 3,
    }.items():
        assert len(tk("-o", "json", "parked", "list", *options).json) == count, options
    assert "key-1" in tk("parked", "list").out
    for item in ("key-1", listed[2]["id"], "acme/w/a.txt", "acme/w/a.txt@1", listed[0]["id"]):
        (shown,) = tk("-o", "json", "parked", "show", item).json
        assert shown in listed
    assert "no readable copy" in tk("parked", "show", "acme/w/a.txt").out
    assert tk("parked", "show", "acme/w/nothing").code == 3
    assert tk("parked", "show", str(uuid4())).code == 3


@pytest.mark.row("F12", "retried or skipped by an operator")
@pytest.mark.usefixtures("stuck")
def test_retry_and_skip_decide(tk: Tierkeeper) -> None:
    """A dry run changes nothing; a retry makes due, a skip leaves as it is; the audit log says who."""
    tried = tk("-o", "json", "parked", "retry", "--all", "--dry-run").json
    assert [one["outcome"] for one in tried] == ["retried"] * 3
    assert len(tk("-o", "json", "parked", "list").json) == 3
    done = tk("-o", "json", "parked", "retry", "acme/w/a.txt", "key-1").json
    assert [(one["outcome"], one["dry_run"]) for one in done] == [("retried", False)] * 2
    (left,) = tk("-o", "json", "parked", "skip", "--reason", "given up").json
    assert (left["outcome"], left["item"]["ref"]["name"]) == ("skipped", "b.md")
    assert tk("-o", "json", "parked", "list").json == []
    (waits,) = tk("-o", "json", "parked", "list", "--state", "waiting").json
    assert (waits["key"], waits["reason"].partition(" by ")[0]) == ("key-1", "retried")
    for name, event in {"a.txt": "retried", "b.md": "skipped"}.items():
        told = json.loads(tk("-o", "json", "events", f"acme/w/{name}").out.splitlines()[0])
        assert (told["event_type"], told["actor"].partition(":")[0]) == (event, "cli")
    assert '"actor": "cli:' in tk("-o", "json", "events", "--type", "delivery retried").out
    assert tk("parked", "retry", "--all").code == 3
    assert tk("parked", "retry").code == 2
    assert tk("parked", "skip", "key-1", "--all").code == 2


@pytest.mark.row("F12", "retried or skipped by an operator")
@pytest.mark.usefixtures("stuck")
def test_one_that_is_not_stuck_does_not_stop_the_others(tk: Tierkeeper) -> None:
    """Each of several items has its own outcome, and the exit code is 7; a single one has its own code."""
    done = tk("-o", "json", "parked", "retry", "acme/w/a.txt", "nothing", "key-1")
    assert done.code == 7
    assert [one.get("outcome", one.get("asked")) for one in done.json] == ["retried", "nothing", "retried"]
    assert done.json[1]["error"]["error"] == "ParkedNotFound"
    shown = tk("parked", "skip", "acme/w/b.md", "nothing")
    assert (shown.code, "acme/w/b.md" in shown.out, "nothing" in shown.out) == (7, True, True)
    assert tk("-o", "json", "parked", "list").json == []
    assert tk("parked", "skip", "nothing").code == 3


@pytest.mark.row("F12", "listed")
def test_what_the_list_calls_a_message_names_it(tk: Tierkeeper, database_url: str) -> None:
    """A line of the list begins with what the other commands take; what a message is about stands beside it."""
    letter = DeadLetter(b"x", 1, b"hash", "too large", "redis", "verbs", "unknown")
    with Keeper.open(load(environ={}, catalog={"url": database_url})) as keeper:
        keeper.deliveries.refuse(letter)
        keeper.deliveries.park(Sent("tierkeeper.store", "key-1", MESSAGE), reason="given up")
    lines = tk("parked", "list").out.splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == [b"hash".hex(), "key-1"]
    assert "tierkeeper.store of acme/w/m.txt" in lines[1]
    refused = tk("parked", "retry", b"hash".hex(), "key-1")
    assert (refused.code, "refused" in refused.out, "retried" in refused.out) == (7, True, True)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port whose server takes no connection any more: who connects hears nothing at all."""
    with ports.black_hole() as port:
        yield port


@pytest.fixture(params=["closed", "silent", "black hole"])
def no_broker(
    request: pytest.FixtureRequest, tk: Tierkeeper, black_hole: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A broker that is away: nobody listens, it accepts and never answers, or not even that."""
    assert tk("init").code == 0
    with ports.silent() as silent:
        port = {"closed": 1, "silent": silent, "black hole": black_hole}[request.param]
        monkeypatch.setenv("TIERKEEPER_BROKER__URL", f"redis://127.0.0.1:{port}/0")
        yield


@pytest.mark.usefixtures("no_broker")
def test_without_a_broker_verbs_are_written_to_the_catalog(tk: Tierkeeper, stored: Stored) -> None:
    """While the broker is away a verb's intent goes into the catalog, the command says so, the next sweep does it."""
    refs = [stored(name, name) for name in ("a.txt", "b.txt", "c.txt")]
    began = time.monotonic()
    done = tk("-o", "json", "promote", *refs, "--to", "warm", "--enqueue")
    assert time.monotonic() - began < 15
    assert done.code == 0
    assert "Written to the catalog" in done.err
    assert [(one["task"], one["results"][0]["wanted"]) for one in done.json] == [(None, ["warm"])] * 3
    assert [p["tier"] for p in tk("-o", "json", "show", refs[0]).json["placements"]] == ["hot"]
    assert tk("purge", refs[2], "--yes", "--enqueue").code == 0
    assert tk("lifecycle", "run", "--live").code == 0
    for ref in refs[:2]:
        placements = tk("-o", "json", "show", ref).json["placements"]
        assert [p["tier"] for p in placements if p["state"] == "present"] == ["warm"]
    assert tk("-o", "json", "show", refs[2]).json["state"] == "deleted"
    assert tk("undelete", refs[2], "--enqueue", "--wait").code == 0
    assert tk("archive", "acme/w/nobody", "--enqueue").code == 3


@pytest.mark.usefixtures("no_broker")
def test_without_a_broker_a_store_is_refused_soon(tk: Tierkeeper, stored: Stored) -> None:
    """A store by message needs the broker: it fails in seconds, and says what to do."""
    began = time.monotonic()
    done = tk("store", __file__, "--tenant", "acme", "--workflow", "w", "--enqueue")
    assert time.monotonic() - began < 15
    assert done.code == 6
    assert "Check the broker" in done.err
