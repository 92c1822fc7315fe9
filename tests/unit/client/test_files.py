"""Plain files where another party may have put something else."""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tierkeeper_client import TierkeeperClient, files
from tierkeeper_client.errors import InvalidInput


def _socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))


@pytest.mark.parametrize("make", [os.mkfifo, _socket, os.mkdir, partial(os.symlink, os.devnull)])
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe, a socket, a folder and a link are refused at once; a followed link is judged by where it leads."""
    place = tmp_path / "x"
    make(place)
    for follow in (False, True):
        with pytest.raises(OSError, match=r"plain|links"):
            files.reading(place, follow=follow)


def test_a_second_name_is_refused_where_asked_for(tmp_path: Path) -> None:
    """A hard link is a plain file, unless only files with one name are."""
    (tmp_path / "a").write_bytes(b"x")
    with files.reading(tmp_path / "a", single=True) as file:
        assert file.read() == b"x"
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    files.reading(tmp_path / "b").close()
    with pytest.raises(files.NotPlainError, match="second name"):
        files.reading(tmp_path / "b", single=True)


@pytest.mark.parametrize("parts", [(), ("..", "a"), ("sub", "..", "..", "a"), (".",), ("",), ("a/b",), ("a\0",)])
def test_parts_that_are_no_names(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Nothing but names leads beneath a folder."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"outside")
    with pytest.raises(ValueError, match="no path beneath"):
        files.reading_beneath(root, parts)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, mask: int) -> None:
    """What stands there is replaced and never opened; the mode is the one asked for; an error leaves nothing."""
    place, other = tmp_path / "x", tmp_path / "other"
    other.write_bytes(b"of another")
    place.symlink_to(other)
    before = os.umask(mask)
    try:
        with pytest.raises(TypeError), files.replacing(place, mode=0o640) as file:
            file.writelines([b"half", None])  # type: ignore[list-item]
        assert (place.is_symlink(), len(list(tmp_path.iterdir()))) == (True, 2)
        with files.replacing(place, mode=0o640) as file:
            file.write(b"whole")
    finally:
        os.umask(before)
    assert (place.read_bytes(), other.read_bytes()) == (b"whole", b"of another")
    assert (place.is_symlink(), place.stat().st_mode & 0o777) == (False, 0o640)


def test_a_producer_is_not_blocked_by_a_pipe(tmp_path: Path) -> None:
    """The client takes a path of a plain file alone, and says how to give a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with TierkeeperClient("redis://127.0.0.1:1/0") as client, pytest.raises(InvalidInput, match="no plain file"):
        client.store(tmp_path / "pipe", tenant="acme", workflow="w", name="n")


def test_a_folder_that_another_made_meanwhile_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what this call made gets the mode; a file in the way is an error."""
    wanted = tmp_path / "a" / "b"
    seen = Path.exists

    def racing(path: Path) -> bool:
        there = seen(path)
        if path == tmp_path:  # what is missing was found: another process makes it now
            (tmp_path / "a").mkdir(mode=0o755)
            (tmp_path / "a").chmod(0o755)
        return there

    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", racing)
        files.make_folders(wanted, 0o700)
    assert [folder.stat().st_mode & 0o777 for folder in (wanted.parent, wanted)] == [0o755, 0o700]
    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "exists", lambda path: path == tmp_path)
    with pytest.raises(FileExistsError):
        files.make_folders(tmp_path / "file", 0o700)
