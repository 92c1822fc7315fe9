"""The names of a folder tier's files: the same bytes by every process, and never absent for being spelled otherwise."""

import errno
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.locales import ASCII
from support.stored_objects import MakeStore, info_of, put, read

from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import NameRespelled, ObjectNotFound, StoreTransient

CAFE = "caf\xe9.md"
_OTHER_PROCESS = """
import io, json, sys
from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores import factory
from tierkeeper.stores.base import ObjectKey
assert sys.getfilesystemencoding() == "ascii", sys.getfilesystemencoding()
store = factory.make("hot", TierSettings(url=sys.argv[1], temperature="hot"), io_threads=1, catalog_url=None)
key = ObjectKey(json.loads(sys.argv[2]))
with store.open(key) as pieces:
    content = b"".join(pieces)
info, listed = store.describe(key), [each.location for each in store.list()]
deleted = store.delete([key])
again = store.put(key.location, io.BytesIO(content), info)
look = store.tighten_modes(None, seconds=10)
print(json.dumps([content.decode(), listed, deleted[0].state, again.location, look.left]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The tier's folder."""
    return tmp_path / "hot"


@pytest.fixture
def store(root: Path, make_store: MakeStore) -> Store:
    """A store with the readable layout."""
    return make_store(root.as_uri())


def at(root: Path, key: ObjectKey) -> bytes:
    """The path of an object's file."""
    return os.fsencode(root) + b"/" + key.location.encode()


def test_a_process_with_another_locale_names_the_same_files(store: Store, root: Path) -> None:
    """What a process with a UTF-8 locale wrote, one with another locale reads, lists, deletes and writes."""
    key, _, _ = put(store, b"content", info_of(b"content", name=f"a/{CAFE}"))
    script = [sys.executable, "-c", _OTHER_PROCESS, root.as_uri(), json.dumps(key.location)]
    done = subprocess.run(script, env={**os.environ, **ASCII}, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["content", [key.location], "deleted", key.location, False]
    assert os.path.exists(at(root, key))  # noqa: PTH110  no Path takes bytes
    assert read(store, key) == b"content"


@pytest.mark.parametrize("name", [CAFE, f"{CAFE}/x", f"a/{CAFE}/b/c"])
@pytest.mark.parametrize("spelled", ["caf\xe9.md".encode("latin-1"), unicodedata.normalize("NFD", CAFE).encode()])
def test_a_file_that_is_spelled_otherwise_is_not_absent(store: Store, root: Path, name: str, spelled: bytes) -> None:
    """A name in another encoding, or decomposed, as other processes and systems left it, is no proof of a deletion."""
    key, info, _ = put(store, b"content", info_of(b"content", name=name))
    folder, after = at(root, key).split(CAFE.encode())
    os.rename(folder + CAFE.encode(), folder + spelled)  # noqa: PTH104  as above
    for _ in range(2):
        for call in (store.head, store.describe, lambda key: read(store, key)):
            with pytest.raises(NameRespelled, match=r"under another spelling"):
                call(key)
        result = store.delete([key])[0]
        assert (result.state, result.code) == (DeleteState.FAILED, "NameRespelled")
        assert os.path.exists(folder + spelled + after)  # noqa: PTH110  as above
        put(store, b"other", info_of(b"other", name=name))  # makes the folder in the right spelling
    for entry in os.listdir(folder + spelled):  # noqa: PTH208  as above
        os.renames(folder + spelled + b"/" + entry, folder + CAFE.encode() + b"/moved/" + entry)
    assert store.delete([key])[0].state is DeleteState.DELETED
    with pytest.raises(ObjectNotFound):
        store.head(ObjectKey(store.location(info)))


def test_what_is_absent_beside_names_like_it_is_absent(store: Store) -> None:
    """Another file in a folder like it, or the folder alone, is not the object's."""
    kept, _, _ = put(store, b"kept", info_of(b"kept", name=CAFE))
    gone = ObjectKey(store.location(info_of(b"gone", name=CAFE)))
    never = ObjectKey(store.location(info_of(b"gone", name="caf\xe8/x")))
    assert {result.state for result in store.delete([gone, never])} == {DeleteState.DELETED}
    with pytest.raises(ObjectNotFound):
        store.head(gone)
    assert read(store, kept) == b"kept"


def test_a_stale_folder_proves_no_absence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder below the root that a network mount calls stale: nothing is known of what is in it."""
    key, _, _ = put(store, b"content")
    opened: Callable[..., int] = os.open

    def stale(path: Any, *args: Any, **more: Any) -> int:  # noqa: ANN401  as the system's
        if os.fsdecode(path) == "acme":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opened(path, *args, **more)

    monkeypatch.setattr(os, "open", stale)
    with pytest.raises(StoreTransient):
        store.head(key)
    assert store.delete([key])[0].state is DeleteState.FAILED
    monkeypatch.undo()
    assert read(store, key) == b"content"


def test_unfinished_files_that_cannot_be_listed_are_not_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delete that could not look for what a writer left says so."""
    key, _, _ = put(store, b"content")

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "scandir", failing)
    result = store.delete([key])[0]
    assert (result.state, result.code) == (DeleteState.FAILED, "StoreTransient")
