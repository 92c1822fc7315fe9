"""policy: apply, diff, show, list, test, remove, import-s3."""

import json
from pathlib import Path
from typing import Any

import pytest
from integration.cli.terminal import Stored, Tierkeeper

from tierkeeper.cli.support import streams

REPORTS = """\
name: reports
match: {tenant: acme, name: "*.md"}
phases:
  - {after: 0d, in: [hot]}
  - {after: 3d, in: [cold]}
"""


def test_a_policy_is_tried_applied_changed_and_removed(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """A dry run changes nothing; applying governs at once; a change is a new version; removing gives way."""
    ref = stored("a.md", "a", "--created", "4d")
    file = tmp_path / "reports.yaml"
    file.write_text(REPORTS)
    assert tk("-o", "json", "policy", "apply", str(file), "--dry-run").json[0]["change"] == "new"
    assert tk("policy", "show", "reports").code == 3
    applied = tk("-o", "json", "policy", "apply", str(file)).json[0]
    assert (applied["change"], applied["version"], applied["matched"]) == ("new", 1, 1)
    assert tk("-o", "json", "policy", "apply", str(file)).json[0]["change"] == "unchanged"
    tk("lifecycle", "run", "--live")
    assert tk("-o", "json", "show", ref).json["wanted"] == ["cold"]
    file.write_text(REPORTS.replace("3d", "5d"))
    difference = tk("policy", "diff", str(file)).out
    assert "3d" in difference
    assert "5d" in difference
    assert tk("policy", "apply", str(file)).code == 0
    assert [one["version"] for one in tk("-o", "json", "policy", "list", "--all-versions").json
            if one["name"] == "reports"] == [1, 2]  # fmt: skip
    assert tk("policy", "remove", "reports", "--yes").code == 0
    assert "reports" not in tk("policy", "list").out
    assert "removed" in tk("policy", "show", "reports").err


def test_a_policy_shown_can_be_applied_again(tk: Tierkeeper, tmp_path: Path) -> None:
    """`policy show` prints YAML that `policy apply` reads back as the same."""
    file = tmp_path / "reports.yaml"
    file.write_text(REPORTS)
    tk("policy", "apply", str(file))
    shown = tk("policy", "show", "reports").out
    assert tk("-o", "json", "policy", "apply", "-", stdin=shown).json[0]["change"] == "unchanged"
    assert "default" in tk("policy", "list").out


def test_a_wrong_policy_points_at_its_line(tk: Tierkeeper, tmp_path: Path) -> None:
    """The error names file and line, and nothing is applied."""
    file = tmp_path / "wrong.yaml"
    file.write_text(REPORTS.replace("[cold]", "[freezer]"))
    refused = tk("policy", "apply", str(file))
    assert refused.code == 4
    assert f"{file}, line 5" in refused.err
    assert tk("policy", "show", "reports").code == 3
    assert tk("policy", "apply", str(tmp_path / "missing.yaml")).code == 4


def test_which_policy_governs_can_be_asked(tk: Tierkeeper, tmp_path: Path) -> None:
    """`policy test` names the policy that would govern such an artifact, why, and where it would be at which age."""
    file = tmp_path / "reports.yaml"
    file.write_text(REPORTS)
    tk("policy", "apply", str(file))
    told = tk("-o", "json", "policy", "test", "acme/w/a.md").json
    assert told["policy"] == "reports v1"
    assert "cold" in tk("policy", "test", "acme/w/a.md").out
    assert tk("-o", "json", "policy", "test", "acme/w/a.txt").json["policy"].startswith("default")


def test_an_s3_lifecycle_configuration_is_imported(tk: Tierkeeper, tmp_path: Path) -> None:
    """What a policy can say is imported; what it cannot is an error that names the rule."""
    rule: dict[str, Any] = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 30},
    }
    file = tmp_path / "lifecycle.json"
    off = {"ID": "off", "Status": "Disabled"}
    file.write_text(json.dumps({"Rules": [rule, off]}))
    imported = tk("policy", "import-s3", str(file), "--name", "logs", "--tenant", "acme")
    assert imported.code == 0
    assert "rule 'off' is not imported: it is disabled" in imported.err
    assert "logs/" in tk("policy", "show", "logs-logs").out
    again = tk("-o", "json", "policy", "import-s3", str(file), "--name", "logs", "--tenant", "acme").json
    assert ([p["change"] for p in again["policies"]], len(again["remarks"])) == (["unchanged"], 1)
    file.write_text(json.dumps({"Rules": [off]}))
    assert "no rule needs a policy" in tk("policy", "import-s3", str(file), "--name", "none").err
    rule["Transitions"] = [{"Days": 3, "StorageClass": "DEEP_ARCHIVE"}]
    file.write_text(json.dumps({"Rules": [rule]}))
    refused = tk("policy", "import-s3", str(file), "--name", "logs", "--tenant", "acme")
    assert refused.code == 4
    assert "rule 'logs', Transition: no tier has the storage class DEEP_ARCHIVE" in refused.err
    assert tk("policy", "import-s3", str(file), "--name", "logs", "--class", "DEEP_ARCHIVE=ice").code == 4
    # as PowerShell writes it, with the class's tier, which has none in its URL
    file.write_text(json.dumps({"Rules": [rule]}), encoding="utf-16")
    given = tk("policy", "import-s3", str(file), "--name", "logs", "--tenant", "acme", "--class", "DEEP_ARCHIVE=cold")
    assert given.code == 0, given.err
    assert "- after: 3d\n  in: [cold]\n" in tk("policy", "show", "logs-logs").out
    file.write_bytes("é".encode("latin-1"))
    assert "Save the text as UTF-8" in tk("policy", "import-s3", str(file), "--name", "logs").err


def lifecycle(file: Path, *ids: str) -> str:
    """Write a configuration with a rule for each ID, whose prefix it is."""
    rules = [{"ID": one, "Status": "Enabled", "Prefix": f"{one}/", "Expiration": {"Days": 30}} for one in ids]
    file.write_text(json.dumps({"Rules": rules}))
    return str(file)


def in_force(tk: Tierkeeper) -> set[str]:
    """Return the names of the active policies but the built-in ones."""
    return {one["name"] for one in tk("-o", "json", "policy", "list").json if not one["built_in"]}


def test_an_import_asks_at_a_terminal(tk: Tierkeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file has no longer is an error; at a terminal the command shows what would happen, and asks."""
    file = tmp_path / "lifecycle.json"
    tk("policy", "import-s3", lifecycle(file, "A", "B"), "--name", "life")
    import_one = ("policy", "import-s3", lifecycle(file, "A"), "--name", "life")
    left = tk(*import_one)
    assert left.code == 5
    assert "life-B" in left.err
    dry = tk(*import_one, "--dry-run")
    assert dry.code == 0
    assert "no longer in the file: life-B" in dry.err
    monkeypatch.setattr(streams, "can_ask", lambda: True)
    assert tk("-o", "json", *import_one).code == 5
    refused = tk(*import_one, stdin="n\n")
    assert refused.code == 130
    assert "no longer in the file: life-B" in refused.err
    assert in_force(tk) == {"life-A", "life-B"}
    assert tk(*import_one, stdin="y\n").code == 0
    assert in_force(tk) == {"life-A"}


def test_an_import_needs_no_tier_that_is_away(tk: Tierkeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no rule names its class, and where one does: the class stands in the tier's URL."""
    url = "s3://w?class=STANDARD_IA&endpoint=http://127.0.0.1:1&access_key=k&secret_key=s"
    monkeypatch.setenv("TIERKEEPER_TIERS__WARM__URL", url)
    for dry in (("--dry-run",), ()):
        done = tk("policy", "import-s3", lifecycle(tmp_path / "lifecycle.json", "A"), "--name", "life", *dry)
        assert done.code == 0, done.err


def test_the_list_is_readable_in_a_narrow_terminal(tk: Tierkeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 100 columns what a policy matches stands on few lines, with whole words."""
    monkeypatch.setenv("COLUMNS", "100")
    shown = tk("policy", "list").out
    assert "everything" in shown
    assert "kind=record" in shown
