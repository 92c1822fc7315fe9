"""store, get, ls, find, show: what goes in comes out, and can be found."""

import os
import socket
import stat
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper


@pytest.mark.row("B2", "write and read")
def test_a_file_comes_back_byte_for_byte(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """What was stored is read into a file and to stdout as it was."""
    ref = stored("2024/report.md", "# Report\n")
    assert tk("get", ref, str(tmp_path / "out.md")).code == 0
    assert (tmp_path / "out.md").read_text() == "# Report\n"
    assert tk("get", ref, "-").out == "# Report\n"
    assert tk("get", ref, "-", "--offset", "2", "--length", "3").out == "Rep"


def test_get_replaces_a_file_only_when_told(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """An existing file is left alone without --force."""
    ref = stored("a.txt", "new")
    target = tmp_path / "a.txt"
    target.write_text("mine")
    refused = tk("get", ref)
    assert (refused.code, target.read_text()) == (4, "mine")
    assert "--force" in refused.err
    assert tk("get", ref, "--force").code == 0
    assert target.read_text() == "new"


def test_a_folder_is_stored_with_the_names_in_it(tk: Tierkeeper, tmp_path: Path) -> None:
    """-r takes the files of a folder; their names are relative to it; content types are guessed."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.json").write_text("{}")
    (tmp_path / "in" / "sub" / "b.txt").write_text("b")
    done = tk("-o", "json", "store", "-r", "in", "--tenant", "acme", "--workflow", "w", "--prefix", "2024/")
    assert done.code == 0, done.err
    assert {one["ref"]["name"] for one in done.json} == {"2024/a.json", "2024/sub/b.txt"}
    assert tk("-o", "json", "show", "acme/w/2024/a.json").json["content_type"] == "application/json"
    assert tk("store", "in", "--tenant", "acme", "--workflow", "w").code == 2


def test_content_from_stdin_needs_a_name(tk: Tierkeeper) -> None:
    """- reads stdin, and says what to do when the name is missing."""
    assert tk("store", "-", "--tenant", "acme", "--workflow", "w", stdin="x").code == 2
    assert tk("store", "-", "--tenant", "acme", "--workflow", "w", "--name", "n", stdin="piped").code == 0
    assert tk("get", "acme/w/n", "-").out == "piped"


@pytest.mark.row("C8", "the latest version or a given one")
def test_storing_again_makes_a_version_only_if_something_changed(tk: Tierkeeper, stored: Stored) -> None:
    """The same content is no new version, other content is, and each version can be read."""
    stored("a.txt", "one")
    stored("a.txt", "one")
    stored("a.txt", "two")
    listed = tk("-o", "json", "ls", "acme/w", "--all-versions").json
    assert [one["ref"]["version"] for one in listed] == [1, 2]
    assert tk("get", "acme/w/a.txt@1", "-").out == "one"
    assert tk("get", "acme/w/a.txt", "--version", "2", "-").out == "two"


@pytest.mark.row("B2", "metadata")
def test_what_was_said_at_store_is_shown(tk: Tierkeeper, stored: Stored) -> None:
    """Metadata, tags and the age given at store are kept."""
    ref = stored("a.txt", "x", "--metadata", "author=Alice", "--metadata", '{"n": 1}', "--tag", "kind=report",
                 "--created", "2024-01-15T00:00Z", "--content-type", "text/plain")  # fmt: skip
    view = tk("-o", "json", "show", ref).json
    assert view["metadata"] == {"author": "Alice", "n": 1}
    assert view["tags"] == {"kind": "report"}
    assert view["created_at"].startswith("2024-01-15T00:00:00")
    assert view["state"] == "live"
    text = tk("show", ref).out
    assert "kind=report" in text
    assert "hot" in text


@pytest.mark.row("B15", "by name or tag")
def test_find_selects_by_every_condition(tk: Tierkeeper, stored: Stored) -> None:
    """Each condition narrows, and a condition that nothing meets gives an empty list."""
    stored("a.md", "a", "--tag", "kind=report")
    stored("b.md", "b", "--created", "40d")
    stored("c.txt", "c")

    def names(*conditions: str) -> list[str]:
        return [one["ref"]["name"] for one in tk("-o", "json", "find", "--tenant", "acme", *conditions).json]

    assert names("--name", "*.md") == ["a.md", "b.md"]
    assert names("--tag", "kind=report") == ["a.md"]
    assert names("--older-than", "30d") == ["b.md"]
    assert names("--tier", "hot", "--prefix", "c") == ["c.txt"]
    assert names("--workflow", "nothing") == []
    assert tk("find", "--name", "*.md", "--count").out == "2\n"


@pytest.mark.row("B2", "list")
def test_a_list_that_is_cut_says_so(tk: Tierkeeper, stored: Stored) -> None:
    """--limit cuts the list, and only a list that was cut says so."""
    stored("a.txt", "a")
    stored("b.txt", "b")
    cut = tk("ls", "acme", "--limit", "1")
    assert ("a.txt" in cut.out, "b.txt" in cut.out, "only the first 1" in cut.err) == (True, False, True)
    assert tk("ls", "acme", "--limit", "2").err == ""
    assert len(tk("-o", "json", "ls", "--limit", "1").json) == 1


def test_a_default_tenant_need_not_be_said(tk: Tierkeeper, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """TIERKEEPER_TENANT stands for --tenant in arguments and filters."""
    stored("a.txt", "x")
    monkeypatch.setenv("TIERKEEPER_TENANT", "acme")
    assert tk("get", "w/a.txt", "-").out == "x"
    assert tk("get", "acme/w/a.txt", "-").out == "x"
    assert "acme/w/a.txt" in tk("ls").out


def test_a_default_tenant_of_dotenv_is_one_too(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``.env`` says of the tenant stands for --tenant; the environment and the option go before it."""
    stored("a.txt", "x")
    (tmp_path / ".env").write_text("TIERKEEPER_TENANT=acme\n")
    assert tk("get", "w/a.txt", "-").out == "x"
    assert tk("-o", "json", "policy", "import-s3", "--help").code == 0
    assert len(tk("-o", "json", "ls").json) == 1
    assert tk("-o", "json", "ls", "--tenant", "other").json == []
    monkeypatch.setenv("TIERKEEPER_TENANT", "third")
    assert tk("-o", "json", "ls").json == []


def test_bad_files_do_not_stop_the_good_ones(tk: Tierkeeper, tmp_path: Path) -> None:
    """Of several files the bad one is reported, the others are stored, and the exit code says so."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    done = tk(
        "-o", "json", "store", "a.txt", "b.txt", "--tenant", "acme", "--workflow", "w", "--created", "2999-01-01T00:00Z"
    )
    assert done.code == 7
    assert all("error" in one for one in done.json)
    assert tk("store", "a.txt", "--tenant", "../x", "--workflow", "w").code == 4
    assert tk("ls").err == "nothing matches\n"


def test_careless_conditions_are_errors_not_empty_lists(tk: Tierkeeper, stored: Stored) -> None:
    """A tier that is not there, a broken SHA-256, an empty name and an unknown run are told, with their exit codes."""
    stored()
    for command in (("find",), ("find", "--count"), ("verify",), ("archive",)):
        refused = tk(*command, "--tier" if command != ("archive",) else "--from-tier", "wram")
        assert refused.code == 4, command
        assert "There is no tier 'wram'" in refused.err
    assert tk("find", "--sha256", "zz").code == 2
    assert tk("store", "in/a.txt", "--tenant", "acme", "--workflow", "w", "--name", "").code == 4
    assert tk("runs", "show", "01a1fa78-e370-738f-951e-c4b03bb205ec").code == 3
    assert tk("runs", "show", "deadbeef").code == 3
    assert tk("ls", "acme/\udcff").code == 4
    assert tk("find", "--older-than", "9999999d").code == 2
    assert tk("ls", "--limit", "99999999999999999999").code == 0
    assert tk("runs", "list", "--limit", "99999999999999999999").code == 0


def test_a_target_that_cannot_be_written(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """`get` and `events --export` name the file that cannot be made, not a temporary one, with exit code 4."""
    ref = stored("a.txt", "content")
    (tmp_path / "file").write_text("no folder")
    target = tmp_path / "file" / "a.txt"
    for command in (("get", ref, str(target)), ("events", "--export", str(target))):
        refused = tk(*command)
        assert (refused.code, refused.err.count("\n")) == (4, 1), refused.err
        assert f"{tmp_path}/file is no folder" in refused.err
        assert ".tierkeeper-" not in refused.err
    away = tk("get", ref, str(tmp_path / "nowhere" / "a.txt"))
    assert (away.code, f"{tmp_path}/nowhere/a.txt cannot be used: No such file" in away.err) == (4, True), away.err


def test_what_is_no_file_is_written_to_and_links_stay(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """A pipe gets the bytes, a link's file is replaced; neither becomes a file itself. A socket is refused."""
    ref = stored("a.txt", "content")
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "real" / "file"
    os.mkfifo(pipe)
    (tmp_path / "to-pipe").symlink_to("pipe")
    file.parent.mkdir()
    file.write_text("old")
    link.symlink_to("real/file")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for target in ("pipe", "to-pipe"):
            assert tk("get", ref, target).code == 4
            assert tk("get", ref, target, "--force").code == 0
            assert os.read(reader, 1 << 16) == b"content"
            assert tk("events", "--export", target).code == 0
            assert os.read(reader, 1 << 16).endswith(b"}\n")
        assert stat.S_ISFIFO(pipe.lstat().st_mode)
    finally:
        os.close(reader)
    assert tk("get", ref, "link", "--force").code == 0
    assert (link.is_symlink(), file.read_text()) == (True, "content")
    assert tk("events", "--export", "link").code == 0
    assert (link.is_symlink(), file.read_text().endswith("}\n")) == (True, True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    for command in (("get", ref, "socket", "--force"), ("events", "--export", "socket")):
        refused = tk(*command)
        assert (refused.code, "no file, pipe or terminal" in refused.err) == (4, True), refused.err
    assert stat.S_ISSOCK((tmp_path / "socket").lstat().st_mode)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_the_default_export_follows_nothing(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What another party left in LOG_DIR is replaced: a link's file stays as it is, and nobody reads from a pipe."""
    stored("a.txt", "content")
    log, other = tmp_path / "log", tmp_path / "other"
    log.mkdir()
    other.write_text("stays")
    target = log / "lifecycle_events.jsonl"
    if kind == "link":
        target.symlink_to(other)
    else:
        os.mkfifo(target)
    monkeypatch.setenv("LOG_DIR", str(log))
    done = tk("events", "--export")
    assert (done.code, stat.S_ISREG(target.lstat().st_mode), other.read_text()) == (0, True, "stays"), done.err


def test_events_are_exported_to_stdout(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """- is standard output, which has nothing but them."""
    stored("a.txt", "content")
    done = tk("events", "--export", "-")
    assert (done.code, done.out[0], done.out.endswith("}\n")) == (0, "{", True), done.err
    assert tk("-o", "json", "events", "--export", "-").out == done.out
    assert not (tmp_path / "-").exists()


def test_a_target_that_ends_with_a_slash_is_a_folder(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """It is made where it is missing, also for one artifact; where it cannot be made, the command says so."""
    for name in ("2024/a.txt", "b.txt"):
        assert tk("get", stored(name, name), "new/out/", "--force").code == 0
    assert {path.name: path.read_text() for path in (tmp_path / "new" / "out").iterdir()} == {
        "a.txt": "2024/a.txt",
        "b.txt": "b.txt",
    }
    (tmp_path / "file").write_text("mine")
    assert tk("get", "acme/w/b.txt", "file/", "--force").code == 4
    assert (tmp_path / "file").read_text() == "mine"
    assert tk("get", "acme/w/none.txt", "none/").code == 3
    assert not (tmp_path / "none").exists()
