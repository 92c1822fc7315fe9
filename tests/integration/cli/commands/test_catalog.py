"""catalog and doctor: a lost catalog is made again from the command line, and looked over."""

from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper
from support import broken, services

from tierkeeper.catalog import revisions
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load


def test_a_healthy_catalog(tk: Tierkeeper, stored: Stored) -> None:
    """The doctor says of each check that it is right, and what is not there yet is no error."""
    stored()
    examined = tk("-o", "json", "doctor", "--all")
    assert examined.code == 0, examined.out
    found = {line["check"]: line for line in examined.json}
    assert len(found) > 10
    assert {line["condition"] for line in found.values()} == {"ok", "attention"}
    assert found["dumps"]["found"] == "none"
    assert tk("catalog", "dump").code == 0
    (dump,) = tk("-o", "json", "catalog", "dumps").json
    assert dump["complete"] is True
    assert dump["name"] in tk("catalog", "dumps").out
    assert {line["condition"] for line in tk("-o", "json", "doctor").json} == {"ok"}


def test_a_narrow_terminal_shows_what_is_needed(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns no table cuts anything but a reference, from the left; show and explain have it whole."""
    ref = stored("a-report-with-a-rather-long-name-of-the-year-2024.txt")
    assert tk("catalog", "dump").code == 0
    (dump,) = tk("-o", "json", "catalog", "dumps").json
    monkeypatch.setenv("COLUMNS", "80")
    assert dump["name"] in tk("catalog", "dumps").out
    assert {"listed", "mismatched", "damaged", "before", "lost"} <= set(tk("reconcile").out.split())
    (tmp_path / "home" / "tiers" / "hot" / tk("-o", "json", "show", ref).json["placements"][0]["location"]).unlink()
    for command in (
        ("reconcile",), ("reconcile", "--dry-run"), ("stats",), ("ls",), ("show", ref), ("explain", ref), ("events",),
        ("runs", "list"), ("health",), ("doctor", "--all"), ("policy", "list"), ("settings",), ("parked", "list"),
        ("lifecycle", "summary"), ("lifecycle", "plan"), ("lifecycle", "plans"), ("verify",), ("lifecycle", "run"),
    ):  # fmt: skip
        shown = tk(*command)
        cut = [word for word in shown.out.split() if "…" in word]
        assert all(ref.endswith(word.strip("…").partition("@")[0]) for word in cut), shown.out
        assert not cut or command[0] not in {"show", "explain"}
        assert all(len(line) <= 80 for line in shown.out.splitlines() if "─" in line), shown.out


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE artifacts SET revision = 5", "events missing"),
        ("UPDATE artifacts SET size = size + 1", "content of another tenant"),
        ("DELETE FROM placements", "artifacts without a readable copy"),
        (
            "INSERT INTO events (subject, revision, type, actor) SELECT subject, revision, type, actor FROM events",
            "events repeated",
        ),
        (
            "INSERT INTO blobs (id, scope, sha256, size) VALUES (gen_random_uuid(), 'acme', sha256('x'), 1)",
            "blobs of nothing",
        ),
        (
            "UPDATE artifacts SET state = 'deleted', purge_at = '2020-01-01'; DELETE FROM schedule",
            "deleted and never due",
        ),
    ],
)
def test_what_is_wrong_is_said(tk: Tierkeeper, stored: Stored, database_url: str, damage: str, check: str) -> None:
    """Each broken invariant is one line that says what to do, and the exit code tells."""
    stored()
    services.execute(database_url, damage)
    examined = tk("-o", "json", "doctor")
    assert examined.code == 8
    bad = [line for line in examined.json if line["condition"] == "bad"]
    assert check in [line["check"] for line in bad]
    assert all(line["advice"] for line in bad)
    assert check in tk("doctor").out


@pytest.mark.row("F8", "the catalog is rebuilt from the tiers")
def test_a_lost_catalog(
    tk: Tierkeeper,
    stored: Stored,
    postgres_server: Postgres,
    catalog_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dump, lose the database, rebuild, accept, approve: the way of the documents, with what each step says."""
    stored("old.txt", "old")
    assert tk("catalog", "dump").code == 0
    stored("new.txt", "new")
    with services.fresh_database(postgres_server, template=catalog_template) as url:
        monkeypatch.setenv("TIERKEEPER_CATALOG__URL", url)
        refused = tk("init")  # the catalog is made, and the tiers are another's
        assert (refused.code, "catalog rebuild" in refused.err) == (6, True)
        tried = tk("-o", "json", "catalog", "rebuild", "--dry-run").json
        assert (tried["dry_run"], tried["rows"]["artifacts"], tried["counts"]["only in the stores"]) == (True, 1, 1)
        assert tk("-o", "json", "ls").json == []
        done = tk("-o", "json", "catalog", "rebuild")
        assert (done.code, done.json["counts"]) == (0, {"artifacts found only in the stores": 1})
        assert tk("get", "acme/w/old.txt", "-").out == "old"
        assert tk("get", "acme/w/new.txt", "-").out == "new"
        tk("purge", "acme/w/old.txt")
        services.execute(url, "UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now()")
        assert tk("catalog", "rebuild").code == 5
        examined = tk("-o", "json", "doctor")
        assert examined.code == 8
        (wrong,) = [line for line in examined.json if line["condition"] == "bad"]
        assert wrong["check"] == "epoch"
        assert "rebuilt from dump" in wrong["found"]
        assert tk("doctor", "--accept-restore").code == 2
        assert tk("doctor", "--accept-restore", "--dry-run").code == 0
        accepted = tk("-o", "json", "doctor", "--accept-restore", "--reason", "it was lost")
        assert (accepted.code, accepted.json["epoch"]) == (0, 4)
        assert "trusted" in tk("doctor", "--accept-restore", "--reason", "again").err
        assert tk("catalog", "rebuild", "--approve").code == 2
        approved = tk("-o", "json", "catalog", "rebuild", "--approve", "--reason", "looked through")
        assert [one["ref"]["name"] for one in approved.json] == ["new.txt"]
        assert tk("-o", "json", "catalog", "rebuild", "--approve", "--reason", "again").json == []


def test_without_a_dump(tk: Tierkeeper) -> None:
    """Where there is no dump a rebuild says what can be done instead, and changes nothing."""
    refused = tk("catalog", "rebuild")
    assert refused.code == 3
    assert "--objects-only" in refused.err
    assert tk("catalog", "rebuild", "--objects-only", "--dump", "x").code == 2


@pytest.mark.row("F12", "a row that cannot be read")
def test_a_row_that_cannot_be_read_is_listed_parked_and_mended(tk: Tierkeeper, stored: Stored) -> None:
    """The others move on, `ls` and `plan` show them all; it is parked with the reason, and one command mends it."""
    stored("a.txt", "a", "--created", "8d")
    bad = stored("bad.txt", "bad", "--created", "8d")
    with Keeper.open(load()) as keeper:
        broken.write(keeper, "bad.txt", "created_at = '0001-01-01 BC'")
    assert tk("-o", "json", "lifecycle", "run", "--live").code in {0, 7}
    listed = {view["ref"]["name"]: view["next_step"] for view in tk("-o", "json", "ls", "acme").json}
    assert listed.keys() == {"a.txt", "bad.txt"}
    assert tk("lifecycle", "plan").code == 0
    assert "created_at" in tk("-o", "json", "parked", "list").json[0]["reason"]
    assert tk("doctor", "--mend-times").code == 2
    dry = tk("-o", "json", "doctor", "--mend-times", "--dry-run").json
    done = tk("-o", "json", "doctor", "--mend-times", "--reason", "a wrong import").json
    assert [each["ref"]["name"] for each in dry["mended"]] == [each["ref"]["name"] for each in done["mended"]]
    assert "mended: 0" in tk("doctor", "--mend-times", "--reason", "again").err
    assert tk("parked", "retry", bad).code == 0
    refused = tk("purge", bad, "--reason", "a\x1b[2Jb")
    assert (refused.code, "\x1b" in refused.err) == (2, False)
    assert tk("purge", bad, "--yes", "--reason", "a wrong import").code == 0


def test_a_catalog_goes_back_and_comes_again(tk: Tierkeeper, stored: Stored) -> None:
    """A downgrade asks, does it, and says what is next; this version refuses the catalog until `init` upgrades it.

    A second step down is none of what is refused.
    """
    stored()
    assert tk("catalog", "downgrade", "0010").code != 0  # not answered
    assert "is not before the catalog's" in tk("catalog", "downgrade", "9999", "--yes").err
    done = tk("-o", "json", "catalog", "downgrade", "0010", "--yes")
    assert (done.code, done.json) == (0, {"from": revisions.head(), "to": "0010"})
    assert "Run `tierkeeper init`; if the catalog was downgraded" in " ".join(tk("ls", "acme").err.split())
    further = tk("-o", "json", "catalog", "downgrade", "0009", "--yes")
    assert (further.code, further.json) == (0, {"from": "0010", "to": "0009"})
    assert f"catalog upgraded from 0009 at revision {revisions.head()}" in tk("init").out
    assert tk("ls", "acme").code == 0
