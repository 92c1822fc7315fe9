"""How often content is read and hashed on its way in, and what becomes of content that changes meanwhile."""

import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO
from uuid import uuid4

import pytest
from support import services
from support.callers import TESTER
from support.house import House, OpenHouse, staged
from support.s3_answers import KEYS
from support.stored_objects import MIB

from tierkeeper.base.errors import SourceChanged
from tierkeeper.base.states import Vouched
from tierkeeper.engine.ingest import sources
from tierkeeper.stores.s3 import multipart
from tierkeeper.values.artifacts import StoreResult
from tierkeeper_client import digest
from tierkeeper_client.contract import InlineContent

SIZE = 6 * MIB
NOTHING = InlineContent.of(b"")

#: by where the first copy is written: how often a file of 6 MiB is read, and how often all its bytes are hashed
PASSES = {
    "folder": (2, 2),
    "database": (2, 1),  # it compares the SHA-256 itself
    "s3 that checks": (2, 1),
    "s3 that does not": (2, 2),
    "s3 by boto3": (3, 3),  # over HTTP botocore reads what it sends once more, to sign it
    "s3 in parts": (2, 3),  # the content before and while it is sent, and each part for its server
}


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The first tier's URL, of the adapter that is named; options of its own behind it."""
    kind: str = request.param
    if kind == "folder":
        return (tmp_path / "first").as_uri()
    if kind == "database":
        return "postgres:?schema=first_records"
    if kind == "s3 that checks":
        return f"s3://tk-passes-{uuid4().hex[:12]}?{services.real_s3()}"
    more = {"s3 by boto3": "&client=boto3", "s3 in parts": "&multipart_threshold=5MiB&multipart_chunk=5MiB"}
    return f"s3://tk-passes?endpoint={request.getfixturevalue('s3_endpoint')}&{KEYS}{more.get(kind, '')}"


@pytest.fixture
def house(open_house: OpenHouse, url: str) -> House:
    """A keeper whose first tier is at ``url``, and whose policy writes there."""
    house = open_house(tiers={"hot": {"url": url}})
    house.policy("name: first\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nwrite: hottest\n")
    return house


class Read(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.count += len(piece)
        return piece


class Pipe(Read):
    """The same, but it cannot be rewound."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002  as files have it
        raise io.UnsupportedOperation


class Hash:
    """A hash of the standard library that counts what is added to it."""

    def __init__(self, real: Any, told: Callable[[int], None]) -> None:  # noqa: ANN401  hashlib has no name for it
        self._real, self._told = real, told

    def update(self, piece: bytes) -> None:
        """Add bytes."""
        self._told(len(piece))
        self._real.update(piece)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  as above
        return getattr(self._real, name)


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Count the bytes that our modules hash, and those that they spool; moto runs in this process too."""
    counts = SimpleNamespace(hashed=0, spooled=0)

    def hashed(count: int) -> None:
        counts.hashed += count

    def whole(data: bytes = b"", **options: Any) -> Hash:  # noqa: ANN401  as hashlib
        hashed(len(data))
        return Hash(hashlib.sha256(data, **options), hashed)

    class Spool(tempfile.SpooledTemporaryFile[bytes]):
        def write(self, piece: Any) -> int:  # noqa: ANN401  what its stub has is of 3.12
            counts.spooled += len(piece)
            return super().write(piece)

    def new(name: str, **options: Any) -> Hash:  # noqa: ANN401  as hashlib
        return Hash(hashlib.new(name, **options), hashed)

    counted = SimpleNamespace(new=new, sha256=whole)
    with monkeypatch.context() as patched:
        patched.setattr(digest, "hashlib", counted)
        patched.setattr(multipart, "hashlib", counted)
        patched.setattr(sources, "tempfile", SimpleNamespace(SpooledTemporaryFile=Spool))
        yield counts


def stored(house: House, given: BinaryIO) -> StoreResult:
    """Store what a caller in this process gives."""
    return house.keeper.artifacts.store(house.args(content=NOTHING), caller=TESTER, content=given)


def every(*kinds: str) -> pytest.MarkDecorator:
    """Run a test for these adapters; without names for all."""
    named = kinds or tuple(PASSES)
    cases = [pytest.param(k, id=k, marks=[pytest.mark.s3] if k == "s3 that checks" else []) for k in named]
    return pytest.mark.parametrize("url", cases, indirect=True)


@every()
def test_a_file_is_read_twice_and_never_spooled(
    house: House, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read to be hashed and to be sent, and hashed again only where its server does not compare it."""
    reads, hashes = PASSES[request.node.callspec.id]
    stored(house, io.BytesIO(os.urandom(SIZE)))  # so that what the server can do is known
    given = Read(os.urandom(SIZE))
    with counting(monkeypatch) as counts:
        assert stored(house, given).tiers == ("hot",)
    assert given.count // MIB == reads * SIZE // MIB
    assert counts.hashed // MIB == hashes * SIZE // MIB
    assert counts.spooled == 0
    assert house.read(version=2) == given.getvalue()
    vouched = {row.vouched for row in house.sql("SELECT vouched FROM placements WHERE tier = 'hot'")}
    assert vouched == {(Vouched.SERVER if house.keeper.engine.store("hot").is_database else Vouched.WRITTEN).value}


@every()
def test_a_stream_is_read_once_and_spooled_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read twice is hashed while it is spooled; no pass over it is made for the hash alone."""
    given = Pipe(os.urandom(SIZE))
    with counting(monkeypatch) as counts:
        stored(house, given)
    assert (given.count, counts.spooled) == (SIZE, SIZE)
    assert house.read() == given.getvalue()


@every("folder", "s3 that checks", "s3 that does not", "s3 in parts")
def test_staged_content_is_read_twice_and_never_spooled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload is opened to be hashed and again to be sent; a small one is kept in memory and opened once."""
    for size, times in ((9 * MIB, 2), (MIB, 1)):
        given = os.urandom(size)
        upload = staged(house, given)
        opened: list[str] = []
        watching = [True]

        def note(event: str, arguments: tuple[Any, ...], name: str = upload.name, seen: Any = opened) -> None:  # noqa: ANN401
            path = arguments[0] if event == "open" and watching else None  # noqa: B023  ended below
            if isinstance(path, str | bytes) and os.fsdecode(path).endswith(name):
                seen.append(name)

        sys.addaudithook(note)
        with counting(monkeypatch) as counts:
            house.store(content=upload)
        watching.clear()
        assert (len(opened), counts.spooled) == (times, 0)
        assert house.read() == given


class Changing(io.BytesIO):
    """A file that another program writes to once it was read to its end."""

    def __init__(self, before: bytes, later: bytes) -> None:
        super().__init__(before)
        self._later, self._ended = later, False

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece and not self._ended:
            self._ended = True
            place = self.tell()
            self.seek(0)
            self.truncate()
            self.write(self._later)
            self.seek(min(place, len(self._later)))
        return piece


@every()
def test_of_a_file_that_is_appended_to_its_beginning_is_stored(house: House) -> None:
    """A log that is written to is as long as it was when it was opened: a beginning that was there."""
    given = os.urandom(SIZE)
    assert stored(house, Changing(given, given + b"one line more")).size == SIZE
    assert house.read() == given


@every()
def test_a_file_that_changes_between_the_passes_is_refused(house: House) -> None:
    """Bytes that are not those that were hashed are not stored, whoever compares them; nor are fewer; it is told so."""
    given = os.urandom(SIZE)
    for later in (given[:-1] + bytes([given[-1] ^ 1]), bytes([given[0] ^ 1]) + given[1:], given[:-9]):
        with pytest.raises(SourceChanged, match=r"the content of acme/\S+ changed while it was read"):
            stored(house, Changing(given, later))
        assert house.everything() == []
        assert house.sql("SELECT id FROM placements WHERE state <> 'copying'") == []
