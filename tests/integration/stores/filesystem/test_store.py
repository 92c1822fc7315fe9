"""The filesystem store: the contract in both layouts, and what is its own."""

import errno
import io
import json
import os
import resource
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from integration.stores.contract import StoreContract
from integration.stores.contract_marks import MarkContract, mark_of
from support.stored_objects import CREATED, MakeStore, info_of, put, read

from tierkeeper.stores.base import DeleteState, ObjectInfo, ObjectKey, Put, Store, Stored
from tierkeeper.stores.errors import (
    MarkUnreadable,
    ObjectNotFound,
    StoreError,
    StoreFull,
    StorePermanent,
    StoreTransient,
    TierNotOurs,
)
from tierkeeper.stores.filesystem import modes, syncing, tree
from tierkeeper.stores.filesystem.tree import Tree
from tierkeeper.stores.layout import MARK
from tierkeeper.values.plain import plain


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The tier's folder."""
    return tmp_path / "a folder" / "hot"


@pytest.fixture
def store(root: Path, make_store: MakeStore) -> Store:
    """A store with the readable layout."""
    return make_store(root.as_uri())


def files(root: Path) -> list[str]:
    """Every file and folder below the root but the one for unfinished files."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path != root / ".tmp")


class OnFolders(StoreContract, MarkContract):
    """The contract on folders."""

    def overwrite(self, store: Store, key: ObjectKey, content: bytes) -> None:
        place = Path(unquote(urlsplit(store.config.url).path))
        (place / key.location).write_bytes(content)

    def spoil(self, store: Store, content: bytes) -> None:
        file = Path(unquote(urlsplit(store.config.url).path)) / MARK
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)


class TestReadable(OnFolders):
    """The contract, in the readable layout."""

    @pytest.fixture
    def sibling(self, tmp_path: Path, make_store: MakeStore) -> Store:
        return make_store((tmp_path / "warm").as_uri(), tier="warm")


class TestContentAddressed(OnFolders):
    """The contract, in the content-addressed layout."""

    @pytest.fixture
    def store(self, root: Path, make_store: MakeStore) -> Store:
        return make_store(f"{root.as_uri()}?layout=cas")

    @pytest.fixture
    def sibling(self, tmp_path: Path, make_store: MakeStore) -> Store:
        return make_store((tmp_path / "warm").as_uri(), tier="warm")


def test_layouts(store: Store, root: Path, make_store: MakeStore) -> None:
    """The readable layout carries the names, the other the content's hash; each says which it is."""
    info = info_of(b"x")
    assert store.location(info) == f"acme/weekly_reports/weekly/report.md/3-{info.placement}"
    assert store.readable_layout
    other = make_store(root.as_uri(), layout="cas")
    digest = info.sha256.hex()
    assert other.location(info) == f"cas/{digest[:2]}/{digest}/{info.placement}"
    assert not other.readable_layout


def test_a_sidecar_describes_each_copy(store: Store, root: Path) -> None:
    """Beside each copy lies a JSON file with all there is to know of it without the catalog."""
    key, info, _ = put(store, b"# Week\n")
    recorded = json.loads((root / f"{key.location}.metadata.json").read_text())
    assert recorded == plain(info)
    assert recorded["created"] == CREATED.isoformat()
    assert recorded["sha256"] == info.sha256.hex()


def test_a_lost_or_damaged_sidecar_vouches_for_nothing(store: Store, root: Path) -> None:
    """Without a sidecar that fits, the bytes are still read, but no SHA-256 is claimed for them."""
    key, _, _ = put(store, b"content")
    sidecar = root / f"{key.location}.metadata.json"
    for damage in (b"{", b"[]", b'{"sha256": "00", "size": 8}'):
        sidecar.write_bytes(damage)
        assert store.head(key).sha256 is None
    sidecar.unlink()
    assert store.head(key).sha256 is None
    assert read(store, key) == b"content"


def test_a_delete_leaves_no_trace(store: Store, root: Path) -> None:
    """With the last copy below them go its sidecar and its folders, up to the root."""
    one, two = put(store, b"1")[0], put(store, b"2", info_of(b"2", name="other.md"))[0]
    store.delete([one])
    assert files(root) == sorted(
        ["acme", "acme/weekly_reports", "acme/weekly_reports/other.md", two.location, two.location + ".metadata.json"]
    )
    store.delete([two])
    assert files(root) == []
    assert list((root / ".tmp").iterdir()) == []


def test_a_failed_write_leaves_no_trace(store: Store, root: Path) -> None:
    """After a refused write there is neither an unfinished file nor an empty folder."""
    info = info_of(b"announced")
    with pytest.raises(StoreError), (root / "x").open("wb+") as content:
        store.put(store.location(info), content, info)
    assert files(root) == ["x"]
    assert list((root / ".tmp").iterdir()) == []


@pytest.mark.parametrize(
    "location", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", ".tmp", ".tmp/x", "a/b\0c", "a/b/"]
)
def test_locations_that_lead_elsewhere(store: Store, root: Path, location: str) -> None:
    """A location that is not one of the store's own is refused everywhere, and nothing is touched."""
    info = info_of(b"x")
    key = ObjectKey(location)
    with pytest.raises(StorePermanent):
        store.head(key)
    with pytest.raises(StorePermanent), store.open(key):
        pass
    with pytest.raises(StorePermanent), (root / ".tmp" / "source").open("wb+") as content:
        store.put(location, content, info)
    assert store.delete([key])[0].state is DeleteState.FAILED


def test_symlinks_are_not_followed(store: Store, root: Path, tmp_path: Path) -> None:
    """A symlink in the tier that leads elsewhere is neither written nor deleted through, nor read, nor listed."""
    outside = tmp_path / "outside"
    (outside / "weekly_reports").mkdir(parents=True)
    secret = outside / "weekly_reports" / "secret"
    secret.write_bytes(b"secret")
    (root / "evil").symlink_to(outside)
    (root / "acme").mkdir()
    (root / "acme" / "link").symlink_to(secret)
    for location in ("evil/weekly_reports/secret", "acme/link"):
        with pytest.raises(StorePermanent):
            store.head(ObjectKey(location))
        with pytest.raises(StorePermanent), store.open(ObjectKey(location)):
            pass
    with pytest.raises(StorePermanent):
        put(store, b"x", info_of(b"x", tenant="evil"))
    assert store.delete([ObjectKey("evil/weekly_reports/secret")])[0].state is DeleteState.FAILED
    assert list(store.list()) == []
    assert secret.read_bytes() == b"secret"
    assert list(outside.rglob("*")) == [secret.parent, secret]


def test_a_pipe_is_not_waited_for(store: Store, root: Path) -> None:
    """A pipe where a copy or its sidecar belongs blocks nobody: it is no copy, and vouches for nothing."""
    key, info, _ = put(store, b"x")
    sidecar = root / f"{key.location}.metadata.json"
    sidecar.unlink()
    os.mkfifo(sidecar)
    assert store.describe(key) is None
    assert store.head(key).sha256 is None
    (root / key.location).unlink()
    os.mkfifo(root / key.location)
    with pytest.raises(StorePermanent, match="no plain file"):
        read(store, key)
    assert [result.state for result in store.delete([key])] == [DeleteState.DELETED]
    assert put(store, b"x", info)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_whatever_the_umask(root: Path, make_store: MakeStore, mask: int) -> None:
    """The owner's group may read copies, sidecars and the mark; dumps are the owner's alone; nobody else reads any."""
    before = os.umask(mask)
    try:
        store = make_store(root.as_uri())
        put(store, b"x")
        store.write_mark(mark_of(store))
        info = info_of(b"dump")
        store.put(".tierkeeper/dumps/one", io.BytesIO(b"dump"), info)
    finally:
        os.umask(before)
    own = root / ".tierkeeper" / "dumps"
    for path in [root, *root.rglob("*")]:
        wanted = 0o750 if path.is_dir() else 0o600 if path.parent == own else 0o640
        assert (path, path.stat().st_mode & 0o777) == (path, wanted)


def test_a_folder_that_takes_no_mode(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that has no modes of its own takes copies all the same; no descriptor stays open or is closed twice."""
    before = sorted(Path("/proc/self/fd").iterdir())

    def refuses(file: int, mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), file, mode)

    monkeypatch.setattr(os, "fchmod", refuses)
    info = info_of(b"content")
    store.put(store.location(info), io.BytesIO(b"content"), info)
    monkeypatch.undo()
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_modes_of_earlier_releases(store: Store, root: Path) -> None:
    """What more than the group could read is changed and counted once; nothing is added, and links' targets stay."""
    key, info, _ = put(store, b"x")
    strict, _, _ = put(store, b"y")
    (root / key.location).chmod(0o666)
    (root / f"{key.location}.metadata.json").chmod(0o644)
    (root / strict.location).chmod(0o404)
    outside = root.parent / "outside"
    outside.touch()
    outside.chmod(0o666)
    (root / info.tenant / "link").symlink_to(outside)
    looks = [store.tighten_modes(None, seconds=10) for _ in range(2)]
    assert [(look.changed, look.left) for look in looks] == [(3, True), (0, False)]
    assert (root / key.location).stat().st_mode & 0o777 == 0o640
    assert (root / strict.location).stat().st_mode & 0o777 == 0o400
    assert outside.stat().st_mode & 0o777 == 0o666


def test_a_look_at_modes_continues_where_the_last_one_ended(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is looked at once a walk, whatever its name; after one walk without a change none is, for good."""
    folder = root / "t"
    folder.joinpath("a").mkdir(parents=True)
    wide = [folder / name for name in ("a.b", "a/b", "a/c d", os.fsdecode(b"a/\xff"), "b")]
    for path in wide:
        path.touch()
        path.chmod(0o666)
    looks = [store.tighten_modes(None, seconds=-1)]
    while looks[-1].left:
        at = json.loads(json.dumps(looks[-1].at))
        looks.append(store.tighten_modes(at, seconds=-1))
        assert len(looks) < 50
    assert sum(look.changed for look in looks) == len(wide)
    assert {path.stat().st_mode & 0o777 for path in wide} == {0o640}
    number = sum(path.is_file() for path in root.rglob("*"))
    assert len(looks) == 2 * number + 2, "two walks, a file a look"
    wide[0].chmod(0o666)
    assert store.tighten_modes(looks[-1].at, seconds=10).changed == 0
    monkeypatch.setattr(modes, "_FILE", 0o600)
    again = store.tighten_modes(looks[-1].at, seconds=10)
    assert (again.changed, again.left) == (number, True)


def test_a_large_folder_is_looked_at_in_parts(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look whose time is up asked for the status of one part at most, and none of what was looked at before."""
    folder = root / "t"
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}").touch()
    asked: list[str] = []
    statuses = modes._statuses

    def counted(tree: Tree, folders: list[str], names: Sequence[str]) -> dict[str, os.stat_result]:
        asked.extend(names if folders == ["t"] else [])
        return statuses(tree, folders, names)

    monkeypatch.setattr(modes, "_statuses", counted)
    monkeypatch.setattr(modes, "_PART", 2)
    look = store.tighten_modes(None, seconds=-1)
    while look.left and not asked:
        look = store.tighten_modes(look.at, seconds=-1)
    assert asked == ["0", "1"]
    store.tighten_modes(look.at, seconds=-1)
    assert asked == ["0", "1", "1", "2"]


@pytest.mark.parametrize("kind", [PermissionError, OSError])
def test_a_folder_that_cannot_be_looked_at_keeps_no_other(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch, kind: type[OSError]
) -> None:
    """That of another user is passed over; what failed is looked at once more."""
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "file").touch()
        (root / name / "file").chmod(0o666)
    names = modes._names

    def fails(tree: Tree, folders: list[str]) -> list[tuple[str, bool]]:
        if folders == ["a"]:
            raise kind(errno.EIO, "no")
        return names(tree, folders)

    monkeypatch.setattr(modes, "_names", fails)
    look = store.tighten_modes(None, seconds=10)
    assert look.changed == 1
    assert store.tighten_modes(look.at, seconds=10).left is (kind is OSError)


def test_locations_without_a_folder(store: Store, root: Path) -> None:
    """A location of one segment (staged content has such) is a file in the root; the root itself always stays."""
    info = info_of(b"x")
    with (root / ".tmp" / "source").open("wb+") as content:
        content.write(b"x")
        content.seek(0)
        store.put("staged", content, info)
    assert read(store, ObjectKey("staged")) == b"x"
    assert [found.location for found in store.list()] == ["staged"]
    assert store.delete([ObjectKey("staged")])[0].state is DeleteState.DELETED
    assert files(root) == [".tmp/source"]


def test_a_tenant_named_like_the_folder_for_unfinished_files(store: Store) -> None:
    """A tenant called .tmp is a tenant like any other."""
    key, _, _ = put(store, b"x", info_of(b"x", tenant=".tmp"))
    assert [found.location for found in store.list()] == [key.location]
    assert read(store, key) == b"x"


def test_a_disk_that_is_not_mounted(store: Store, root: Path) -> None:
    """Where the tier's folder is empty or missing nothing counts as not found or deleted: the tier cannot be used."""
    key, info, _ = put(store, b"x")
    root.rename(root.with_name("away"))
    for _ in range(2):
        for call in (lambda: store.head(key), lambda: put(store, b"x", info), lambda: list(store.list()), store.check):
            with pytest.raises(TierNotOurs):
                call()
        assert store.delete([key])[0].state is DeleteState.FAILED
        root.mkdir(exist_ok=True)
    root.rmdir()
    root.with_name("away").rename(root)
    assert read(store, key) == b"x"


def test_prepare_makes_the_folder(root: Path, make_store: MakeStore) -> None:
    """Preparing makes the folder and says so; where a file is in the way it is a typed error."""
    store = make_store(root.as_uri(), prepared=False)
    assert store.prepare() == [f"folder {root}"]
    (root / "file").write_bytes(b"")
    with pytest.raises(StorePermanent):
        make_store((root / "file" / "below").as_uri())


def test_a_full_disk(store: Store, root: Path) -> None:
    """Where there is no room for the bytes it is StoreFull, and what was begun is removed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(StoreFull):
            put(store, bytes(2_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(root) == []
    assert list((root / ".tmp").iterdir()) == []


def test_what_a_crash_left_goes_with_its_location(store: Store, root: Path) -> None:
    """The unfinished files and the lone sidecar of a writer that died are removed when its location is deleted."""
    info, other = info_of(b"x"), info_of(b"y")
    location = store.location(info)
    name = location.rpartition("/")[2]
    leftovers = [f"{name}.0123", f"{name}.0123.metadata.json", f"3-{other.placement}.4567"]
    for leftover in leftovers:
        (root / ".tmp" / leftover).write_bytes(b"half")
    (root / location).parent.mkdir(parents=True)
    (root / f"{location}.metadata.json").write_bytes(b"{}")
    assert list(store.list()) == []
    assert store.delete([ObjectKey(location)])[0].state is DeleteState.DELETED
    assert [path.name for path in (root / ".tmp").iterdir()] == leftovers[2:]
    assert files(root) == [f".tmp/{leftovers[2]}"]


def test_a_writer_whose_placement_is_collected(store: Store, root: Path) -> None:
    """A write whose unfinished file is collected under its hands fails, to be looked at again; nothing appears."""
    content = b"x" * 3_000_000
    info = info_of(content)
    location = store.location(info)
    reached, collected = threading.Event(), threading.Event()

    class Paused:
        def __init__(self) -> None:
            self.left = 3

        def read(self, size: int) -> bytes:  # noqa: ARG002  as of any stream
            if self.left == 1:
                reached.set()
                collected.wait(10)
            self.left -= 1
            return content[:1_000_000] if self.left >= 0 else b""

    def collect() -> None:
        reached.wait(10)
        store.delete([ObjectKey(location)])
        collected.set()

    collector = threading.Thread(target=collect)
    collector.start()
    with pytest.raises(StoreTransient, match="collected"):
        store.put(location, Paused(), info)  # type: ignore[arg-type]  # all that a store asks of content is read
    collector.join()
    with pytest.raises(ObjectNotFound):
        store.head(ObjectKey(location))
    assert files(root) == []


def _puts(store: Store, count: int) -> list[Put]:
    infos = [info_of(f"{n}".encode(), name=f"dir/{n}") for n in range(count)]
    return [Put(store.location(info), io.BytesIO(f"{n}".encode()), info) for n, info in enumerate(infos)]


@pytest.fixture
def durable(tmp_path: Path, make_store: MakeStore) -> Store:
    """A store that waits for the disk."""
    return make_store(f"{(tmp_path / 'durable').as_uri()}?fsync=yes")


def test_many_copies_are_durable_before_they_count(
    durable: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes are on the disk before the first file appears, and all names before the answer; no file by itself.

    In the end one fsync asks whether the file system still writes at all.
    """
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(syncing, "_KNOWN", {syncing._kind(os.open(tmp_path, os.O_RDONLY))})
    monkeypatch.setattr(syncing, "all_of", lambda _fd: seen.append(("all", len(list(durable.list())))))
    monkeypatch.setattr(os, "fsync", lambda _fd: seen.append(("one", len(list(durable.list())))))
    results = durable.put_many(_puts(durable, 5))
    assert [type(each) for each in results] == [Stored] * 5
    assert seen == [("all", 0), ("all", 5), ("one", 5)]
    assert list((tmp_path / "durable" / ".tmp").iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_where_the_disk_fails_none_of_many_counts(
    durable: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The file system cannot say whose write failed; before the files appear none of them does.

    One that went read-only meanwhile (3) tells nobody who asks for all of it, but an fsync.
    """
    calls: list[int] = []

    def fails(_fd: int) -> None:
        calls.append(1)
        if len(calls) == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syncing, "_KNOWN", {syncing._kind(os.open(tmp_path, os.O_RDONLY))})
    monkeypatch.setattr(syncing, "all_of", fails)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreTransient, match="Input/output error"):
        durable.put_many(_puts(durable, 5))
    assert len(list(durable.list())) == (0 if failing == 1 else 5)
    assert list((tmp_path / "durable" / ".tmp").iterdir()) == []


def test_a_real_disk_makes_many_durable(durable: Store, tmp_path: Path) -> None:
    """Where the file system is known, its own call is used."""
    if syncing._calls() is None:
        pytest.skip("this system cannot make a whole file system durable")
    with pytest.raises(OSError, match="Bad file descriptor"):
        syncing.all_of(-1)
    with (tmp_path / "durable").joinpath(".tmp", "file").open("w") as file:
        syncing.all_of(file.fileno())
        assert durable.puts_together == (50 if syncing.is_offered(file.fileno()) else 0)


@pytest.mark.parametrize(
    ("system", "release", "kind"), [("Linux", "5.16.9", 0xEF53), ("Darwin", "23.1", 0xEF53), ("Linux", "6.1", 0x6969)]
)
def test_who_may_not_tell_of_failed_writes_is_not_asked(
    durable: Store, monkeypatch: pytest.MonkeyPatch, system: str, release: str, kind: int
) -> None:
    """An older kernel, another system, and a file system of another machine (0x6969: NFS): all singly."""
    waits: list[int] = []
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.release", lambda: release)
    monkeypatch.setattr(syncing, "_kind", lambda _fd: kind)
    syncing._calls.cache_clear()
    try:
        assert durable.puts_together == 0
        monkeypatch.setattr(os, "fsync", waits.append)
        assert [type(each) for each in durable.put_many(_puts(durable, 2))] == [Stored] * 2
        assert len(waits) >= 2 * 3
    finally:
        syncing._calls.cache_clear()


def test_many_whose_folder_goes_or_that_are_collected(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose folder was removed meanwhile is placed again; one that was collected fails; the others are not hurt."""
    puts = _puts(store, 4)
    collecting = puts[3].content.read

    def collects(size: int = -1) -> bytes:
        store.delete([ObjectKey(puts[1].location)])
        return collecting(size)

    monkeypatch.setattr(puts[3].content, "read", collects)
    opened, lost = tree._LastFolder.opened, [1]

    def removed(parent: tree._LastFolder, folders: list[str]) -> int:
        if lost:
            lost.pop()
            raise FileNotFoundError(errno.ENOENT, "gone")
        return opened(parent, folders)

    monkeypatch.setattr(tree._LastFolder, "opened", removed)
    results = store.put_many(puts)
    assert [type(each) for each in results] == [Stored, StoreTransient, Stored, Stored]
    assert "collected" in str(results[1])
    assert {each.location for each in store.list()} == {puts[n].location for n in (0, 2, 3)}
    assert list((root / ".tmp").iterdir()) == []


def test_a_copy_is_no_link(store: Store, root: Path, tmp_path: Path, make_store: MakeStore) -> None:
    """Damage to one copy is not damage to the other: a copy has bytes of its own."""
    key, info, _ = put(store, b"content")
    warm = make_store((tmp_path / "warm").as_uri())
    copied = warm.copy(store, key, key.location, info)
    os.truncate(root / key.location, 0)
    assert read(warm, ObjectKey(copied.location)) == b"content"


def _pipe(mark: Path) -> None:
    os.mkfifo(mark)


def _socket(mark: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(mark))


def _link(mark: Path) -> None:
    mark.with_name("elsewhere").write_text("{}")
    mark.symlink_to("elsewhere")


def _loop(mark: Path) -> None:
    mark.symlink_to(mark)


@pytest.mark.parametrize(
    ("make", "replaced"), [(_pipe, True), (_socket, True), (_link, True), (_loop, True), (Path.mkdir, False)]
)
def test_a_mark_that_is_no_plain_file(
    tmp_path: Path, make_store: MakeStore, make: Callable[[Path], None], *, replaced: bool
) -> None:
    """It makes every call say that the tier is not ours, at once: none hangs, none puts the blame on an object."""
    root = tmp_path / "hot"
    store = make_store(root.as_uri())
    key, info, _ = put(store, b"x")
    mark = root / MARK
    mark.parent.mkdir()
    make(mark)
    refused_by_each_call(store, key, info)
    mine = mark_of(store)
    with pytest.raises(MarkUnreadable):
        store.replace_mark(mine, over=mine)
    if replaced:
        assert store.replace_mark(mine, over=None) == mine
        return
    with pytest.raises(TierNotOurs, match=f"remove {mark}"):
        store.replace_mark(mine, over=None)


@pytest.mark.parametrize("how", ["link", "file"])
def test_a_folder_of_the_mark_that_is_none(tmp_path: Path, make_store: MakeStore, how: str) -> None:
    """Where it is a link or a file every call says that the tier is not ours; writing says what to remove."""
    root = tmp_path / "hot"
    store = make_store(root.as_uri())
    key, info, _ = put(store, b"x")
    store.write_mark(mark_of(store))
    folder = (root / MARK).parent
    folder.rename(root.with_name("moved"))
    if how == "link":
        folder.symlink_to(root.with_name("moved"))
    else:
        folder.touch()
    refused_by_each_call(store, key, info)
    with pytest.raises(TierNotOurs, match=f"remove {folder}"):
        store.replace_mark(mark_of(store), over=None)


@pytest.mark.parametrize("which", ["root", "staging"])
def test_a_place_that_is_no_folder(tmp_path: Path, make_store: MakeStore, which: str) -> None:
    """Where the tier's folder, or that of its unfinished files, is a file, no object is to blame for it."""
    root = tmp_path / "hot"
    store = make_store(root.as_uri())
    key, info, _ = put(store, b"x")
    broken = root if which == "root" else root / ".tmp"
    shutil.rmtree(broken)
    broken.touch()
    refused_by_each_call(store, key, info)


def refused_by_each_call(store: Store, key: ObjectKey, info: ObjectInfo) -> None:
    """Every call raises TierNotOurs within seconds; a delete says that it failed."""
    store.guard = lambda _: True
    for call in (
        store.check,
        lambda: store.head(key),
        lambda: list(store.list()),
        lambda: store.put(store.location(info), io.BytesIO(b"x"), info),
        lambda: store.open(key).__enter__(),
    ):
        signal.setitimer(signal.ITIMER_REAL, 5)
        with pytest.raises(TierNotOurs):
            call()
    assert store.delete([key])[0].state is DeleteState.FAILED
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """A call that hangs fails its test."""

    def late(*_: object) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
