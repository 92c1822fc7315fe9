"""The staging area for content that is too large for a message: a folder shared with the workers, or an S3 prefix.

Each upload is one file or object, named by a fresh UUID and visible only when complete. The worker takes it when the
message arrives; an upload that no message claims is deleted after a time to live.
"""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from tierkeeper_client import files, urls
from tierkeeper_client.digest import CHUNK, Digest
from tierkeeper_client.errors import InvalidInput, StagingUnavailable

PARTIAL = ".part"  # suffix of a file that is being written, or was left by a dead producer
CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 30


class Upload:
    """Reads ``head`` and then the rest of ``content``, and hashes the bytes read; a file-like object for boto3."""

    def __init__(self, content: BinaryIO, head: bytes = b"") -> None:
        self._content = content
        self._head = head
        self._digest = Digest()

    @property
    def sha256(self) -> str:
        """The SHA-256, in hex, of the bytes read so far."""
        return self._digest.sha256.hex()

    def read(self, size: int = CHUNK) -> bytes:
        """Return ``size`` bytes, fewer only at the end; short reads, as of a pipe, are continued.

        Raises InvalidInput where the system cannot read the content.
        """
        parts = [self._head[:size]]
        self._head = self._head[size:]
        missing = size - len(parts[0])
        while missing > 0 and (part := self._more(missing)):
            parts.append(part)
            missing -= len(part)
        read = b"".join(parts)
        self._digest.add(read)
        return read

    def _more(self, size: int) -> bytes:
        try:
            return self._content.read(size)
        except OSError as error:  # of the source, and of no staging area that it is written to
            raise InvalidInput(
                field="content",
                value=str(getattr(self._content, "name", "the stream")),
                problem=f"it cannot be read: {error.strerror or error}",
                fix="Check the file, and the device that it is on.",
            ) from error


class Staging(ABC):
    """A staging area."""

    @abstractmethod
    def put(self, upload: Upload) -> str:
        """Write all of ``upload`` durably and return its name in the area. Raises StagingUnavailable."""


class FolderStaging(Staging):
    """A folder that producers and workers share.

    Only ``tierkeeper init`` makes it: a missing folder may not be mounted, and no worker would find an upload there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, upload: Upload) -> str:
        """Write a partial file, sync and rename it; a failed or interrupted upload leaves no file.

        Whoever may read the folder may read it, whatever the umask: a worker may be another user.
        """
        name = str(uuid4())
        partial = self._folder / (name + PARTIAL)
        try:
            try:
                with partial.open("xb") as target:
                    os.fchmod(target.fileno(), 0o600 | self._folder.stat().st_mode & 0o044)
                    while chunk := upload.read():
                        target.write(chunk)
                    target.flush()
                    os.fsync(target.fileno())
                partial.rename(self._folder / name)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            _sync(self._folder)
        except FileNotFoundError as error:
            reason = "there is no such folder; if it is not mounted, mount it, else `tierkeeper init` makes it"
            raise StagingUnavailable(url=self._folder.as_uri(), reason=reason) from error
        except OSError as error:
            raise StagingUnavailable(url=self._folder.as_uri(), reason=str(error)) from error
        return name


def open_staging(url: str) -> Staging:
    """Return the staging area at ``url``: ``file:///folder`` or ``s3://bucket/prefix?endpoint=…&region=…``.

    Raises InvalidInput for another kind of URL, StagingUnavailable if the extra for S3 is not installed.
    """
    try:
        place = urls.parse(url)
    except urls.UnusableUrl as error:
        problem = error.problem.rstrip(".")
        raise InvalidInput(field="staging_url", value=_shown(url), problem=problem, fix=error.fix) from None
    if place.scheme == "file" and place.host in {"", "localhost"} and place.path.startswith("/"):
        if not place.path.isascii() and not files.utf8_names():
            problem = "it is not ASCII, and the locale of this process is not UTF-8: it would name another folder"
            fix = "Give the process a UTF-8 locale, such as LC_ALL=C.UTF-8."
            raise InvalidInput(field="staging_url", value=_shown(url), problem=problem, fix=fix)
        return FolderStaging(Path(place.path))
    if place.scheme == "s3" and place.host:
        try:
            from tierkeeper_client.staging_s3 import S3Staging  # noqa: PLC0415  boto3 is an extra
        except ImportError as error:
            raise StagingUnavailable(
                url=_shown(url), reason=f"{error}; install it with `pip install 'tierkeeper-client[s3]'`"
            ) from error
        return S3Staging(place.host, place.path.strip("/"), place.options)
    raise InvalidInput(
        field="staging_url",
        value=_shown(url),
        problem="it names no folder and no bucket",
        fix="Use file:///folder or s3://bucket/prefix.",
    )


def _shown(url: str) -> str:
    """Return ``url`` without its options, which may be secrets."""
    return url.partition("?")[0]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
