"""Files that the user named to be written: what the system refuses is said of them."""

from pathlib import Path

import pytest

from tierkeeper.base.errors import FileUnusable, InvalidInput
from tierkeeper.cli.support import targets
from tierkeeper_client import files


@pytest.mark.parametrize(
    ("target", "make_folder", "words"),
    [
        ("folder", False, "a folder is there"),
        ("file/a", False, "/file is no folder"),
        ("file/a", True, "/file is no folder"),
        ("file/a/b", True, "/file is no folder"),
        ("link/a", True, "/link is no folder"),
    ],
)
def test_what_stands_in_the_way_is_named(tmp_path: Path, target: str, *, make_folder: bool, words: str) -> None:
    """A folder in the place of a file, and a file in the place of a folder, are no matter of permissions."""
    (tmp_path / "folder" / "full").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with (
        pytest.raises(InvalidInput, match=f"{words}. Write it somewhere else") as caught,
        targets.written(tmp_path / target, make_folder=make_folder),
        files.replacing(tmp_path / target, mode=0o600) as file,
    ):
        file.write(b"x")
    assert caught.value.exit_code == 4


def test_what_is_not_there_is_the_paths(tmp_path: Path) -> None:
    """A folder that is missing is told by the system's words."""
    with pytest.raises(FileUnusable, match="No such file"), targets.written(tmp_path / "none" / "a"):
        (tmp_path / "none" / "a").write_bytes(b"x")
