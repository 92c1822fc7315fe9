"""Files that the user named to be written: what the system refuses is said of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.locales import ASCII

from tierkeeper.base.errors import FileUnusable, InvalidInput
from tierkeeper.cli.support import targets
from tierkeeper_client import files

_WRITE = """
from pathlib import Path
from tierkeeper.base.errors import FileUnusable
from tierkeeper.cli.support import targets

try:
    with targets.written(Path("caf\\xe9"), make_folder=True):
        Path("caf\\xe9").open("wb")
except FileUnusable as error:
    print("has no such name" in str(error))
"""


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


def test_a_name_that_the_locale_has_not() -> None:
    """It is said of the target, with the locale."""
    done = subprocess.run(
        [sys.executable, "-c", _WRITE], env={**os.environ, **ASCII}, capture_output=True, check=False, text=True
    )
    assert done.stdout == "True\n", done.stderr
