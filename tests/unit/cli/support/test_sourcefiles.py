"""What `store` takes of a folder, and what it leaves out."""

import os
import socket
import subprocess
import unicodedata
from contextlib import chdir
from pathlib import Path

import pytest

from tierkeeper.cli.support.sourcefiles import SourceFile, SourceFiles, Walk
from tierkeeper.settings.settings import Settings


def walked(folder: Path, *, home: Path | None = None, follow: bool = False, compose: bool = False) -> SourceFiles:
    """Walk a folder with settings whose home is elsewhere."""
    settings = Settings.model_validate({"home": home or folder.parent / "home"})
    walk = Walk(settings, prefix="p/", follow=follow, compose=compose)
    walk.take(folder)
    return walk.result


def names(found: SourceFiles) -> list[str]:
    """Return the names of what is taken."""
    return [file.name for file in found.files]


def reasons(found: SourceFiles, below: Path) -> dict[str, str]:
    """Return why each path is left out."""
    return {Path(each.path).relative_to(below).as_posix(): each.reason for each in found.left_out}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in it and one in a folder of its own."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "sub" / "b.txt").write_text("bb")
    return tmp_path / "in"


def test_every_entry_is_taken_or_left_out_with_its_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, pipes, sockets and folders that cannot be read are named; nothing is skipped silently."""
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "away").symlink_to(folder / "sub")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    (folder / "locked").mkdir()
    opened = os.scandir

    def refusing(path: Path) -> "os._ScandirIterator[str]":  # root may read everything
        if path == folder / "locked":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = walked(folder)
    assert names(found) == ["p/a.txt", "p/sub/b.txt"]
    assert [file.size for file in found.files] == [1, 2]
    link = "it is a link; --follow-links takes what it leads to"
    assert reasons(found, folder) == {
        "away": link,
        "link.txt": link,
        "locked": "the folder cannot be read: Permission denied",
        "pipe": "it is no plain file",
        "socket": "it is no plain file",
    }


def test_links_are_followed_when_asked_and_not_for_ever(folder: Path) -> None:
    """What links lead to is taken under the links' names; one to a folder above, and a dead one, are left out."""
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "dead").symlink_to(folder / "nothing")
    found = walked(folder, follow=True)
    assert names(found) == ["p/a.txt", "p/link.txt", "p/sub/b.txt"]
    assert reasons(found, folder) == {
        "dead": "it cannot be read: No such file or directory",
        "sub/up": "it is a link to a folder that it lies in",
    }
    with found.files[1].open() as file:
        assert file.read() == b"a"


def test_every_bad_name_is_named(folder: Path) -> None:
    """Each name that no artifact can have is left out, with the rule that it breaks; the good ones stay."""
    for name in ("a:b", "c ", "-d"):
        (folder / name).write_text("x")
    found = walked(folder)
    assert names(found) == ["p/a.txt", "p/sub/b.txt"]
    assert {Path(each.path).name for each in found.bad_names} == {"a:b", "c ", "-d"}
    assert "begins with '-'" in next(each.reason for each in found.bad_names if Path(each.path).name == "-d")


def test_names_of_macos_are_composed_when_asked(folder: Path) -> None:
    """A decomposed name is bad, composed it is taken; two files never get one name."""
    decomposed = unicodedata.normalize("NFD", "é.txt")
    (folder / decomposed).write_text("x")
    assert [Path(each.path).name for each in walked(folder).bad_names] == [decomposed]
    assert "p/é.txt" in names(walked(folder, compose=True))
    (folder / "é.txt").write_text("y")
    found = walked(folder, compose=True)
    assert names(found).count("p/é.txt") == 1
    assert [each.reason for each in found.doubled] == [f"its name would be that of {folder / decomposed}"]
    assert not found.left_out


def test_the_installation_is_not_stored_into_itself(folder: Path) -> None:
    """The home with its tiers below a folder is left out."""
    (folder / "home" / "tiers").mkdir(parents=True)
    (folder / "home" / "tiers" / "copy").write_text("x")
    found = walked(folder, home=folder / "home")
    assert names(found) == ["p/a.txt", "p/sub/b.txt"]
    assert reasons(found, folder) == {"home": "it is the home folder of this installation"}


def test_a_deep_tree_ends_nothing(folder: Path) -> None:
    """A tree deeper than Python's recursion is walked: what lies there is left out for its name."""
    with chdir(folder):  # the path is longer than a path may be
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102  as above
            os.chdir("d")
        Path("deep.txt").write_text("x")
    try:
        found = walked(folder)
    finally:
        subprocess.run(["rm", "-rf", folder / "d"], check=True)  # pytest's way recurses, and would end a later session
    assert names(found) == ["p/a.txt", "p/sub/b.txt"]
    assert len(found.left_out) == 1


def test_a_folder_that_is_named_twice_is_taken_once(folder: Path) -> None:
    """Each file is stored once, and none is called another one with its name."""
    walk = Walk(Settings.model_validate({"home": folder.parent / "home"}), prefix="", follow=False, compose=False)
    for named in (folder, Path(f"{folder}/"), folder):
        walk.take(named)
    walk.add(SourceFile(folder / "a.txt", "a.txt"))
    assert names(walk.result) == ["a.txt", "sub/b.txt"]
    assert not walk.result.left_out
    assert not walk.result.doubled
