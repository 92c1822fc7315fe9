"""Where content comes from: the message, staged uploads, sources by URL."""

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import current_thread
from typing import Any, BinaryIO
from uuid import uuid4

import boto3
import pytest
from support.callers import TESTER
from support.canaries import come_through
from support.house import House, OpenHouse, staged
from support.stored_objects import MIB

from tierkeeper.base import callers
from tierkeeper.base.errors import ContentDiffers, SourceChanged, SourceRefused, StagedContentMissing
from tierkeeper.engine.ingest import ingest, sources
from tierkeeper.stores.errors import ContentMismatch, StorePermanent
from tierkeeper.values.artifacts import ItemError
from tierkeeper_client import digest
from tierkeeper_client.contract import SourceContent, StagedContent, StoreArgs


def test_content_of_a_message_is_hashed_without_a_thread(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in memory, and handing it to a thread would take longer than its hash; given files are read in threads."""
    hashing = []

    def noted(file: BinaryIO) -> digest.Digest:
        hashing.append(current_thread())
        return digest.digest_of(file)

    monkeypatch.setattr(sources, "digest_of", noted)
    items: list[StoreArgs | ItemError] = [house.args(f"d/{n}", b"%d" % n) for n in range(5)]
    house.keeper.artifacts.store_many(items, caller=TESTER)
    assert hashing == [current_thread()] * 5
    hashing.clear()
    large = {n: partial(io.BytesIO, bytes(sources._KEPT + 1) + b"%d" % n) for n in range(5)}
    house.keeper.artifacts.store_many(items, caller=TESTER, contents=large)
    assert len(hashing) == 5
    assert current_thread() not in hashing


def test_staged_content_is_taken(house: House) -> None:
    """A staged upload is stored; its file is deleted by maintain when its time is over."""
    upload = staged(house, b"from a client" * 10_000)
    house.store("a", content=upload)
    assert house.read() == b"from a client" * 10_000
    folder = Path(house.settings.staging.url.removeprefix("file://"))
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert (folder / upload.name).exists()
    house.days_pass(2)
    come_through(house)
    assert house.keeper.sweeps.maintain(caller=callers.BEAT).counts["uploads deleted"] == 1
    assert not (folder / upload.name).exists()


def test_staged_content_that_is_missing(house: House) -> None:
    """A staged name under which nothing lies is refused, with the place that was looked at, and nothing changes."""
    with pytest.raises(StagedContentMissing, match=f"{house.settings.staging.url}.*staging_url has to be that place"):
        house.store("a", content=StagedContent(name=str(uuid4())))
    assert house.everything() == []


@pytest.mark.parametrize("kind", ["pipe", "second name", "link", "folder"])
def test_an_upload_that_is_no_plain_file(house: House, tmp_path: Path, kind: str) -> None:
    """What another party put into staging instead of a file is refused at once, and nothing changes."""
    name = str(uuid4())
    upload = Path(house.settings.staging.url.removeprefix("file://")) / name
    (tmp_path / "secret").write_bytes(b"of the worker")
    make: dict[str, Callable[[], None]] = {
        "pipe": partial(os.mkfifo, upload),
        "second name": partial(os.link, tmp_path / "secret", upload),
        "link": partial(upload.symlink_to, tmp_path / "secret"),
        "folder": upload.mkdir,
    }
    make[kind]()
    with pytest.raises(StorePermanent):
        house.store("a", content=StagedContent(name=name))
    assert house.everything() == []


@pytest.mark.parametrize("kind", ["staged", "file"])
def test_content_that_is_replaced_between_the_passes(
    open_house: OpenHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Other bytes in the place of an upload, or of a source, are said of it, and of no tier; nothing is stored."""
    (tmp_path / "root").mkdir()
    house = open_house(sources={"allowed_roots": [str(tmp_path / "root")]}, engine={"spool_limit": "1MiB"})
    content: StagedContent | SourceContent
    if kind == "staged":
        upload = staged(house, b"first" * MIB)
        path = Path(house.settings.staging.url.removeprefix("file://")) / upload.name
        content, named = upload, f"staged content {upload.name}"
    else:
        path = tmp_path / "root" / "big.log"
        path.write_bytes(b"first" * MIB)
        content, named = SourceContent(url=path.as_uri()), path.as_uri()
    intend = ingest.step_2_intend

    def replaced(*args: Any, **options: Any) -> Any:  # noqa: ANN401  as the step
        path.write_bytes(b"other" * MIB)
        return intend(*args, **options)

    monkeypatch.setattr(ingest, "step_2_intend", replaced)
    with pytest.raises(SourceChanged, match=f"{named} changed while it was read"):
        house.store("a", content=content)
    assert house.everything() == []


def test_a_tier_that_is_at_fault_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has other bytes than it was sent is told as such: the source is right."""
    store = house.keeper.engine.store("hot")
    monkeypatch.setattr(type(store), "put", _mismatched)
    with pytest.raises(ContentMismatch, match="Tier hot"):
        house.store("a", b"right")


def _mismatched(_store: object, location: str, *_args: object) -> None:
    raise ContentMismatch(tier="hot", location=location, reason="for a test")


def test_a_hash_that_was_announced_must_be_right(house: House) -> None:
    """Content whose SHA-256 is not the announced one is refused."""
    right = hashlib.sha256(b"x").hexdigest()
    assert house.store("a", b"x", sha256=right).sha256 == right
    with pytest.raises(ContentDiffers, match=right):
        house.store("b", b"y", sha256=right)


def test_a_file_below_an_allowed_root(open_house: OpenHouse, tmp_path: Path) -> None:
    """A file below an allowed root is stored; others are refused in the same words, whether they exist or not."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "in ä.txt").write_bytes(b"inside")
    (tmp_path / "outside").write_bytes(b"outside")
    (root / "link").symlink_to(tmp_path / "outside")
    house = open_house(sources={"allowed_roots": [str(root)]})
    house.store("a", content=SourceContent(url=(root / "in ä.txt").as_uri()))
    assert house.read() == b"inside"
    problems = set()
    for url in (
        (tmp_path / "outside").as_uri(),
        (root / "link").as_uri(),
        f"{root.as_uri()}/../outside",
        f"{root.as_uri()}/missing",
        root.as_uri(),
        "file:///etc/passwd",
    ):
        with pytest.raises(SourceRefused) as refused:
            house.store("b", content=SourceContent(url=url))
        problems.add(str(refused.value).replace(url, ""))
    assert len(problems) == 1


def test_a_source_that_is_no_plain_file(open_house: OpenHouse, tmp_path: Path) -> None:
    """A pipe, a link and a file with a second name are refused at once, below an allowed root too."""
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "file").write_bytes(b"inside")
    (tmp_path / "outside").write_bytes(b"outside")
    (root / "link").symlink_to(root / "file")
    (root / "linked").symlink_to(root / "folder")
    (root / "folder" / "file").write_bytes(b"inside")
    os.link(tmp_path / "outside", root / "hard")
    os.mkfifo(root / "pipe")
    house = open_house(sources={"allowed_roots": [str(root)]})
    for name in ("pipe", "link", "linked/file", "hard", "folder"):
        with pytest.raises(SourceRefused):
            house.store("a", content=SourceContent(url=(root / name).as_uri()))
    house.store("a", content=SourceContent(url=(root / "folder" / "file").as_uri()))
    assert house.read() == b"inside"


def test_a_root_behind_a_link(open_house: OpenHouse, tmp_path: Path) -> None:
    """The root itself may be a link of the operator's; a file is named by either path."""
    real, root = tmp_path / "real", tmp_path / "root"
    real.mkdir()
    root.symlink_to(real)
    (real / "file").write_bytes(b"inside")
    house = open_house(sources={"allowed_roots": [str(root)]})
    for number, place in enumerate((real, root)):
        house.store(f"a{number}", content=SourceContent(url=(place / "file").as_uri()))


def test_a_folder_that_is_swapped_for_a_link(open_house: OpenHouse, tmp_path: Path) -> None:
    """Whenever a folder below the root becomes a link that leads out of it, nothing outside is ever read."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, content in ((root / "sub", b"inside"), (outside, b"outside")):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(content)
    house = open_house(sources={"allowed_roots": [str(root)]})
    url = (root / "sub" / "file").as_uri()
    read = 0
    for countdown in range(1, 5):
        with _before_open(root, countdown, partial(_swap, root / "sub", outside)):
            try:
                house.store("a", content=SourceContent(url=url), force=True)
                assert house.read() == b"inside"
                read += 1
            except SourceRefused:
                pass
        if (root / "sub").is_symlink():
            (root / "sub").unlink()
            (root / "was").rename(root / "sub")
    assert read


def _swap(folder: Path, target: Path) -> None:
    folder.rename(folder.with_name("was"))
    folder.symlink_to(target)


@contextmanager
def _before_open(root: Path, countdown: int, act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` before the ``countdown``-th opening of a path below ``root``, or of a part of it."""
    waiting = [countdown]
    names = {"sub", "file"}

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not waiting or not isinstance(arguments[0], str | Path):
            return
        if arguments[0] in names or str(arguments[0]).startswith(str(root)):
            waiting[0] -= 1
            if waiting[0] == 0:
                waiting.clear()
                act()

    sys.addaudithook(hook)
    try:
        yield
    finally:
        waiting.clear()  # a hook cannot be taken out


def test_no_source_is_allowed_by_default(house: House, tmp_path: Path) -> None:
    """Without settings every source is refused, and so is every scheme but file and s3."""
    (tmp_path / "f").write_bytes(b"x")
    for url in ((tmp_path / "f").as_uri(), "s3://bucket/key", "https://example.org/x", "/etc/passwd"):
        with pytest.raises(SourceRefused):
            house.store("a", content=SourceContent(url=url))


def test_an_object_in_an_allowed_bucket(
    open_house: OpenHouse, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object of an allowed bucket is stored; other buckets, missing keys and options in the URL are refused."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket="drop")
    client.put_object(Bucket="drop", Key="folder/key", Body=b"from S3")
    house = open_house(sources={"allowed_buckets": ["drop"]})
    house.store("a", content=SourceContent(url="s3://drop/folder/key"))
    assert house.read() == b"from S3"
    for url in ("s3://other/key", "s3://drop/missing", "s3://drop/folder/key?endpoint=http://x", "s3://drop/"):
        with pytest.raises(SourceRefused):
            house.store("b", content=SourceContent(url=url))
