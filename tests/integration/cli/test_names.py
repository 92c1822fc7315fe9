"""Names from the command line: what they may be, whose they are, and where the bytes under them lie."""

import hashlib
import json
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper


@pytest.mark.row("B6")
def test_a_name_that_would_leave_its_place_is_refused(tk: Tierkeeper, stored: Stored) -> None:
    """Path traversal, absolute paths and characters that some file system refuses end with a typed error."""
    stored()
    bad = ["../x", "a/../../x", "..", "/etc/passwd", *(f"a{sign}b" for sign in ':*?"<>|')]
    for field in ("tenant", "workflow", "name"):
        for name in bad:
            names = {"tenant": "acme", "workflow": "w", "name": "a.txt"} | {field: name}
            refused = tk("-o", "json", "store", "in/a.txt", *(f"--{key}={value}" for key, value in names.items()))
            assert (refused.code, json.loads(refused.err)["error"]) == (4, "InvalidName"), names
    assert [one["ref"]["name"] for one in tk("-o", "json", "ls").json] == ["a.txt"]


@pytest.mark.row("B7", "the same names and the same content, apart")
def test_tenants_do_not_meet(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """Two tenants have the same name and the same bytes: each has its own copy, and a purge of one leaves the other."""
    mine = stored("a.txt", "shared")
    told = tk("-o", "json", "store", "in/a.txt", "--tenant", "other", "--workflow", "w", "--name", "a.txt")
    assert told.json[0]["outcome"] == "stored"  # not known by what another tenant has
    assert [one["ref"]["tenant"] for one in tk("-o", "json", "find", "--tenant", "other").json] == ["other"]
    assert tk("get", "third/w/a.txt", "-").code == 3
    hot = tmp_path / "home" / "tiers" / "hot"
    for tenant in ("acme", "other"):
        assert len([path for path in (hot / tenant).rglob("1-*") if path.suffix != ".json"]) == 1
    assert tk("purge", mine, "--yes").code == 0
    assert tk("get", "other/w/a.txt", "-").out == "shared"


@pytest.mark.row("B3")
def test_a_folder_is_laid_out_for_people(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """In tier/tenant/workflow/artifact/ each version is one file of the very bytes, with its metadata beside it."""
    stored("2024/a.txt", "one")
    stored("2024/a.txt", "two", "--metadata", "author=Alice")
    folder = tmp_path / "home" / "tiers" / "hot" / "acme" / "w" / "2024" / "a.txt"
    sidecars = {path for path in folder.iterdir() if path.name.endswith(".metadata.json")}
    bytes_of = {path.name.partition("-")[0]: path for path in folder.iterdir() if path not in sidecars}
    assert {version: path.read_text() for version, path in bytes_of.items()} == {"1": "one", "2": "two"}
    assert sidecars == {path.with_name(f"{path.name}.metadata.json") for path in bytes_of.values()}
    said = json.loads(bytes_of["2"].with_name(f"{bytes_of['2'].name}.metadata.json").read_text())
    assert (said["tenant"], said["workflow"], said["name"], said["version"]) == ("acme", "w", "2024/a.txt", 2)
    assert said["metadata"] == {"author": "Alice"}
    assert said["sha256"] == hashlib.sha256(b"two").hexdigest()


@pytest.mark.row("D2")
def test_content_is_addressed_by_its_hash(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes lie once under their SHA-256, whatever their names; a read of other bytes fails and gives none of them."""
    monkeypatch.setenv("TIERKEEPER_TIERS__HOT__OPTIONS", '{"layout": "cas"}')
    hot = tmp_path / "home" / "tiers" / "hot"
    first, second = stored("a.txt", "shared"), stored("b.txt", "shared")
    digest = hashlib.sha256(b"shared").hexdigest()
    (copy,) = [p for p in (hot / "cas").rglob("*") if p.is_file() and p.read_bytes() == b"shared"]
    assert copy.relative_to(hot).parts[:3] == ("cas", digest[:2], digest)
    assert [tk("get", ref, "-").out for ref in (first, second)] == ["shared"] * 2
    copy.chmod(0o600)
    copy.write_text("shaped")
    refused = tk("get", second, str(tmp_path / "out.txt"))
    assert refused.code == 7  # the only copy was damaged
    assert not (tmp_path / "out.txt").exists()
