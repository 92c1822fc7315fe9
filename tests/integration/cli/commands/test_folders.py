"""Folders in and out: in batches, with a sum, and nothing left out silently."""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper

from tierkeeper.cli.support import fetching, storing
from tierkeeper.cli.support.sourcefiles import SourceFile
from tierkeeper.keeper.artifacts import Artifacts
from tierkeeper.values.artifacts import Ref

INTO = ("--tenant", "acme", "--workflow", "w")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dozen files."""
    (tmp_path / "in").mkdir()
    for number in range(12):
        (tmp_path / "in" / f"f{number:02}.txt").write_text(f"content {number}")
    return tmp_path / "in"


@pytest.mark.row("B14", "batches")
def test_a_folder_is_stored_in_batches_with_a_sum(
    tk: Tierkeeper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several batches store every file once; the output is a sum, with -v a row for each, again it is unchanged."""
    monkeypatch.setattr(storing, "ITEMS", 5)
    done = tk("store", "-r", "in", *INTO)
    assert done.code == 0, done.err
    assert done.out.startswith("12 files: 12 stored; ")
    assert "f03.txt" not in done.out
    again = tk("store", "-r", "in", *INTO, "-v")
    assert "12 files: 12 unchanged" in again.out
    assert all(f"acme/w/f{number:02}.txt" in again.out for number in range(12))
    assert tk("get", "acme/w/f07.txt", "-").out == "content 7"


@pytest.mark.row("B14", "batches")
def test_one_bad_file_fails_none_of_its_batch(tk: Tierkeeper, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is gone before it is read is an error of its own, with exit code 7; the others are stored."""
    opened = SourceFile.open

    def vanishing(self: SourceFile) -> object:
        if self.name == "f03.txt":
            self.path.unlink()
        return opened(self)

    monkeypatch.setattr(SourceFile, "open", vanishing)
    done = tk("store", "-r", "in", *INTO)
    assert done.code == 7
    assert "12 files: 1 failed, 11 stored" in done.out
    assert "No such file" in done.out


@pytest.mark.row("B2", "write")
def test_what_is_left_out_is_listed(tk: Tierkeeper, folder: Path) -> None:
    """A link is listed with its reason and the exit code is 7; with --follow-links it is stored."""
    (folder / "link").symlink_to(folder / "f00.txt")
    done = tk("store", "-r", "in", *INTO)
    assert done.code == 7
    assert "it is a link" in done.out
    assert "12 files: 12 stored" in done.out
    assert "1 left out" in done.out
    assert [one["path"] for one in tk("-o", "json", "store", "-r", "in", *INTO).json if "path" in one] == ["in/link"]
    assert tk("store", "-r", "in", *INTO, "--follow-links").code == 0
    assert tk("get", "acme/w/link", "-").out == "content 0"


@pytest.mark.row("B6", "all at once")
def test_an_empty_folder_is_no_failure(tk: Tierkeeper, tmp_path: Path) -> None:
    """An inbox in which nothing lies stores nothing, and says so; so does a folder within a folder."""
    (tmp_path / "inbox").mkdir()
    empty = tk("store", "-r", "inbox", *INTO)
    assert (empty.code, empty.out, "1 folder without a file, such as inbox" in empty.err) == (0, "", True)
    assert tk("-o", "json", "store", "-r", "inbox", *INTO).json == []
    assert tk("store", "-r", "inbox", *INTO, "--enqueue").code == 0
    (tmp_path / "inbox" / "later").mkdir()
    (tmp_path / "inbox" / "a.txt").write_text("a")
    done = tk("store", "-r", "inbox", *INTO)
    assert (done.code, "such as inbox/later" in done.err) == (0, True)


def test_a_log_that_is_appended_to_is_stored_as_it_was(tk: Tierkeeper, tmp_path: Path) -> None:
    """Alone, and in a folder: its beginning is stored, with a remark, while another program writes to it."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "big.log"
    log.write_bytes(b"line\n" * 3_000_000)
    ended = threading.Event()

    def append() -> None:
        with log.open("ab", buffering=0) as file:
            while not ended.wait(0.002):
                file.write(b"line\n")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(append)
        try:
            for number, named in enumerate((["logs/big.log"], ["-r", "logs"]), start=1):
                done = tk("-o", "json", "store", *named, *INTO)
                assert (done.code, "of 1 file grew meanwhile, such as logs/big.log" in done.err) == (0, True), done.err
                assert done.json[0]["ref"]["version"] == number
                assert 15_000_000 <= done.json[0]["size"] < log.stat().st_size
        finally:
            ended.set()


def test_bad_names_are_all_named_and_skipped_when_asked(tk: Tierkeeper, folder: Path) -> None:
    """Nothing is stored until the user decides about the names; then all but those are."""
    for name in ("a:b", "c?d"):
        (folder / name).write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("x")
    refused = tk("store", "-r", "in", *INTO)
    assert refused.code == 4
    assert all(f"in/{name}" in refused.out for name in ("a:b", "c?d", "\\udcff"))
    assert "--skip-bad-names" in refused.err
    assert tk("ls").err == "nothing matches\n"
    done = tk("store", "-r", "in", *INTO, "--skip-bad-names")
    assert (done.code, "12 stored" in done.out, "in/a:b" in done.out) == (7, True, True)


@pytest.mark.row("B6", "all at once")
def test_two_files_of_one_name_are_refused_as_such(tk: Tierkeeper, folder: Path, tmp_path: Path) -> None:
    """No option chooses one of them: --skip-bad-names leaves out bad names alone; another prefix keeps both."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "f03.txt").write_text("another")
    for skipping in ((), ("--skip-bad-names",)):
        refused = tk("store", "-r", "in", "other", *INTO, *skipping)
        assert (refused.code, "other/f03.txt" in refused.out, "in/f03.txt" in refused.out) == (4, True, True)
        assert "1 of 13 files" in refused.err
        assert "other files would have the same names" in refused.err
        assert "no artifact can have" not in refused.err
    (folder / "a:b").write_text("x")
    both = tk("-o", "json", "store", "-r", "in", "other", *INTO)
    assert {Path(each["path"]).name for each in both.json} == {"a:b", "f03.txt"}
    assert "no artifact can have these names" in both.err
    assert tk("ls").err == "nothing matches\n"
    assert tk("store", "-r", "other", *INTO, "--prefix", "other/").code == 0


@pytest.mark.row("B2", "write")
def test_files_keep_their_times_and_none_is_purged_unasked(tk: Tierkeeper, folder: Path) -> None:
    """With --created mtime a file past its policy's purge age needs a yes before any is stored; the future is now."""
    old, ahead = time.time() - 400 * 86400, time.time() + 86400
    os.utime(folder / "f00.txt", (old, old))
    os.utime(folder / "f01.txt", (ahead, ahead))
    asked = tk("store", "-r", "in", *INTO, "--created", "mtime", stdin="n\n")
    assert asked.code == 130
    assert "1 of 12 files is past the age" in asked.err
    assert "1 of 12 files changed in the future" in asked.err
    assert tk("ls").err == "nothing matches\n"
    assert tk("store", "-r", "in", *INTO, "--created", "mtime", "--yes").code == 0
    created = {one["ref"]["name"]: one["created_at"] for one in tk("-o", "json", "ls").json}
    assert created["f00.txt"] < created["f02.txt"]
    assert tk("store", "-", *INTO, "--name", "n", "--created", "mtime", stdin="x").code == 2


@pytest.mark.row("B2", "write")
@pytest.mark.parametrize("how", [(), ("--enqueue",)])
@pytest.mark.parametrize("source", ["in", "in/f00.txt"])
@pytest.mark.parametrize("created", [("--created", "mtime", "--yes"), ("--created", "400d")])
def test_what_the_next_sweep_deletes_is_always_told(
    tk: Tierkeeper, folder: Path, how: tuple[str, ...], source: str, created: tuple[str, ...]
) -> None:
    """Of folders and files, stored or sent, with --yes or a time that asks nothing: how many are deleted is told."""
    old = time.time() - 400 * 86400
    for file in folder.iterdir():
        os.utime(file, (old, old))
    done = tk("--quiet", "store", "-r", source, *INTO, *created, *how)
    assert done.code == 0, done.err
    number = "12 of 12 files are" if source == "in" else "1 of 1 file is"
    assert f"{number} past the age" in done.err
    assert "the next sweep deletes" in done.err


@pytest.mark.row("B2", "write")
def test_what_is_sent_needs_no_catalog_where_it_is_sent(
    tk: Tierkeeper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that does not answer leaves unknown what the sweep deletes: that is told, and the file is sent."""
    monkeypatch.setenv("TIERKEEPER_CATALOG__URL", f"postgresql://nowhere@/nothing?host={folder}")
    sent = tk("store", str(folder / "f00.txt"), *INTO, "--created", "mtime", "--yes", "--enqueue")
    assert (sent.code, "not known is what the next sweep deletes" in sent.err) == (0, True), sent.err
    asked = tk("store", str(folder / "f00.txt"), *INTO, "--created", "mtime", "--enqueue")
    assert asked.code == 6


@pytest.mark.row("B14", "batches")
def test_small_files_are_sent_together(tk: Tierkeeper, folder: Path) -> None:
    """--enqueue sends small files in one message, a large one in its own, and lists what it leaves out."""
    (folder / "large").write_bytes(bytes(100_000))
    (folder / "link").symlink_to(folder / "f00.txt")
    done = tk("-o", "json", "store", "-r", "in", *INTO, "--enqueue")
    assert done.code == 7
    tasks = {one["ref"]["name"]: one["task"] for one in done.json if "task" in one}
    assert len(tasks) == 13
    assert len({task for name, task in tasks.items() if name != "large"}) == 1
    assert tasks["large"] != tasks["f00.txt"]
    assert [one["path"] for one in done.json if "path" in one] == ["in/link"]
    assert "13 files sent in 2 messages; 1 left out" in tk("store", "-r", "in", *INTO, "--enqueue").out


def below(folder: Path) -> dict[str, str]:
    """Return the files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.row("B2", "read")
def test_a_workflow_comes_out_as_a_folder_and_a_rerun_resumes(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """WORKFLOW/NAME below TARGET; a second run reads only what is missing."""
    for name in ("a.txt", "2024/b.txt", "2024/c.txt", "2023.txt"):
        stored(name, f"content of {name}")
    done = tk("get", "acme/w", "out/")
    assert (done.code, done.out.startswith("4 artifacts: 4 read; ")) == (0, True), done.err
    everything = below(tmp_path / "out")
    assert everything == {f"w/{n}": f"content of {n}" for n in ("2023.txt", "2024/b.txt", "2024/c.txt", "a.txt")}
    (tmp_path / "out" / "w" / "2024" / "b.txt").unlink()
    assert tk("get", "acme/w", "out/").out.startswith("4 artifacts: 3 equal, 1 read; ")
    assert below(tmp_path / "out") == everything
    assert tk("get", "acme/w/202", "part/").code == 0
    assert sorted(below(tmp_path / "part")) == ["w/2023.txt", "w/2024/b.txt", "w/2024/c.txt"]
    assert tk("get", "acme/w/2024/", "deep/").code == 0
    assert sorted(below(tmp_path / "deep")) == ["w/2024/b.txt", "w/2024/c.txt"]
    assert tk("get", "acme/nothing", "out/").code == 3


@pytest.mark.row("B2", "read")
def test_other_files_stay_unless_told_and_stop_nothing(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """A file with other bytes, a folder and a link in the way are refused one by one; --force replaces files."""
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        stored(name, "new")
    target = tmp_path / "out" / "w"
    (target / "b.txt").mkdir(parents=True)
    (target / "a.txt").write_text("old")
    (tmp_path / "elsewhere").write_text("old")
    (target / "c.txt").symlink_to(tmp_path / "elsewhere")
    refused = tk("-o", "json", "get", "acme/w", "out/")
    assert refused.code == 7
    assert {one["ref"]["name"] for one in refused.json if "error" in one} == {"a.txt", "b.txt", "c.txt"}
    assert ((target / "a.txt").read_text(), (target / "d.txt").read_text()) == ("old", "new")
    forced = tk("get", "acme/w", "out/", "--force")
    assert (forced.code, "4 artifacts: 1 equal, 1 failed, 2 read" in forced.out) == (7, True)
    assert "a folder is there" in forced.out
    assert ((target / "a.txt").read_text(), (tmp_path / "elsewhere").read_text()) == ("new", "old")


@pytest.mark.row("B2", "read")
def test_a_filter_selects_what_comes_out(tk: Tierkeeper, stored: Stored, tmp_path: Path) -> None:
    """The verbs' filters and --due-within select; without a tenant or a folder nothing is read."""
    stored("old.txt", "old", "--created", "88d")
    stored("new.txt", "new", "--tag", "kind=report")
    assert tk("get", "--tenant", "acme", "--tag", "kind=report", "tagged/").code == 0
    assert sorted(below(tmp_path / "tagged")) == ["w/new.txt"]
    assert tk("get", "--tenant", "acme", "--due-within", "5d", "due/").code == 0
    assert sorted(below(tmp_path / "due")) == ["w/old.txt"]
    assert tk("get", "--tag", "kind=report", "out/").code == 2
    assert tk("get", "--tenant", "acme", "--tag", "kind=report").code == 2
    assert tk("get", "acme/w", "out/", "--all-versions").code == 2


@pytest.mark.row("B2", "read")
def test_a_target_that_takes_nothing_more_ends_the_command(
    tk: Tierkeeper, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full one ends it with 6, one that cannot be written with 4, as for one artifact; one bad path fails alone."""
    for name in ("a.txt", "b.txt", "c.txt"):
        stored(name, name)
    wrote: list[str] = []

    def failing(_artifacts: Artifacts, _ref: Ref, target: Path, **_options: object) -> None:
        wrote.append(target.name)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{target}.part")

    with monkeypatch.context() as patched:
        patched.setattr(Artifacts, "write", failing)
        patched.setattr(fetching, "_THREADS", 1)
        full = tk("get", "acme/w", "out/")
        assert (full.code, "No space left on device: out/w/a.txt" in full.err) == (6, True), full.err
        assert wrote == ["a.txt"]
    (tmp_path / "link").symlink_to("/nonexistent/folder")
    for place, reason in (("link", "a link to what is not there"), ("/proc/out", "No such file"), ("/proc", "No such")):
        denied = tk("get", "acme/w", f"{place}/")
        assert (denied.code, reason in denied.err, denied.err.count("\n")) == (4, True, 1), denied.err
        assert denied.out == ""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "w").write_text("a file where a folder is wanted")
    one = tk("-o", "json", "get", "acme/w", "part/")
    assert (one.code, {each["error"]["error"] for each in one.json}) == (7, {"InvalidInput"})


@pytest.mark.row("B2", "write")
def test_one_large_file_shows_its_bytes(tk: Tierkeeper, tmp_path: Path) -> None:
    """They are those that were written; a small file shows nothing."""
    (tmp_path / "large").write_bytes(bytes(9 * 1024 * 1024))
    (tmp_path / "small").write_bytes(b"x")
    assert "storing acme/w/large: 9 MiB of 9 MiB\n" in tk("store", "large", *INTO).err
    assert tk("store", "small", *INTO).err == ""
