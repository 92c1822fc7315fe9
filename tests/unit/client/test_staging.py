import hashlib
import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.digest import CHUNK
from tierkeeper_client.errors import InvalidInput, StagingUnavailable
from tierkeeper_client.staging import FolderStaging, Upload, open_staging


class Broken(BytesIO):
    """A stream that ends in an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            raise OSError("unplugged")
        return super().read(size)


class Trickle:
    """A pipe: gives less than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def read(self, size: int) -> bytes:
        piece, self._rest = self._rest[: min(3, size)], self._rest[min(3, size) :]
        return piece


def test_an_upload_is_one_complete_file(tmp_path: Path) -> None:
    """What was staged is there under its name, byte for byte, and nothing else is."""
    content = bytes(range(256)) * (CHUNK // 100)
    upload = Upload(BytesIO(content[10:]), content[:10])
    name = FolderStaging(tmp_path).put(upload)
    assert [f.name for f in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == content
    assert upload.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("mask", [0o000, 0o077])
@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o770, 0o640), (0o755, 0o644)])
def test_who_may_read_the_folder_may_read_an_upload(tmp_path: Path, mask: int, folder: int, file: int) -> None:
    """The mode of an upload follows that of its folder, whatever the producer's umask."""
    tmp_path.chmod(folder)
    before = os.umask(mask)
    try:
        name = FolderStaging(tmp_path).put(Upload(BytesIO(b"x")))
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o777 == file


def test_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    """A stream that fails half-way is the producer's, and no fault of staging; its file is gone."""
    with pytest.raises(InvalidInput, match="unplugged"):
        FolderStaging(tmp_path).put(Upload(Broken(b"x" * (2 * CHUNK))))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    """It may be a share that is not mounted, where no worker would look: an error that says what to do."""
    staging = open_staging((tmp_path / "share" / "staging").as_uri())
    with pytest.raises(StagingUnavailable, match=r"not mounted.*`tierkeeper init`"):
        staging.put(Upload(BytesIO(b"x")))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    """A staging place that is no folder is an error of its own kind."""
    (tmp_path / "file").touch()
    with pytest.raises(StagingUnavailable):
        open_staging((tmp_path / "file").as_uri()).put(Upload(BytesIO(b"x")))


def test_a_pipe_is_read_to_the_size_asked_for() -> None:
    """Short reads of a pipe are no end of the content."""
    upload = Upload(cast("BinaryIO", Trickle(b"0123456789")), b"ab")
    assert [upload.read(5), upload.read(5), upload.read(5), upload.read(5)] == [b"ab012", b"34567", b"89", b""]


@pytest.mark.parametrize("url", ["", "/srv/staging", "http://host/x", "file://elsewhere/x", "file:relative", "s3:///x"])
def test_other_urls_are_refused(url: str) -> None:
    """A staging URL that names no folder and no bucket is refused when the client is made."""
    with pytest.raises(InvalidInput):
        open_staging(url)


def test_unknown_s3_options_are_refused() -> None:
    """A misspelt option of an S3 staging URL is refused when the client is made."""
    with pytest.raises(InvalidInput, match="endpiont"):
        open_staging("s3://bucket/prefix?endpiont=http://localhost")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A path that is missing is invalid input, as one that is no plain file."""
    with TierkeeperClient("memory://") as client, pytest.raises(InvalidInput, match="No such file"):
        client.store(tmp_path / "missing", tenant="acme", workflow="w", name="a")
