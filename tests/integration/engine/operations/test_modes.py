"""The modes of files that a release before wrote into the tiers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from support.around import Around
from support.house import House

from tierkeeper.base import callers
from tierkeeper.stores.base import ModesLook, Store
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.filesystem import modes
from tierkeeper.stores.filesystem.tree import Tree
from tierkeeper.stores.layout import MARK


class Refusing(Around):
    """A store whose files cannot be looked at."""

    def tighten_modes(self, at: Mapping[str, Any] | None, *, seconds: float) -> ModesLook:  # noqa: ARG002  it does not come to it
        raise StoreTransient(tier="hot", reason="it is away")


def test_maintain_changes_them_and_counts(house: House) -> None:
    """Files that everybody could read become the group's to read, once; a tier that is away stops no other."""
    house.store("a", b"content")
    house.archive("a")
    cold = Path(urlsplit(house.settings.tiers["cold"].url).path)
    wide = [path for path in cold.glob("[!.]*/**/*") if path.is_file()]
    assert len(wide) == 2
    for path in wide:
        path.chmod(0o644)
    stores = cast("dict[str, Store]", house.keeper._engine.stores)
    stores["hot"] = Refusing(stores["hot"])
    counts = [house.keeper.sweeps.maintain(caller=callers.BEAT).counts for _ in range(2)]
    assert [each.get("modes changed", 0) for each in counts] == [2, 0]
    assert {path.stat().st_mode & 0o777 for path in wide} == {0o640}


def test_a_tier_that_was_looked_at_is_not_walked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk ends for good once nothing is left, a tier at a time; a mark that is written again begins another."""
    house.store("a", b"content")
    house.archive("a")
    walked: list[str] = []
    names = modes._names

    def look(tree: Tree, folders: list[str]) -> list[tuple[str, bool]]:
        walked.append(tree.tier)
        return names(tree, folders)

    monkeypatch.setattr(modes, "_names", look)
    urls = [urlsplit(tier.url) for tier in house.settings.tiers.values()]
    folders = [Path(url.path) for url in urls if url.scheme == "file"]
    for folder in folders:
        (folder / MARK).chmod(0o666)
    for number, left in enumerate([len(folders), 0, 0, 1]):
        walked.clear()
        counts = house.keeper.sweeps.maintain(caller=callers.BEAT).counts
        assert (counts.get("tiers with modes to look at", 0), bool(walked)) == (left, number != 2)
        if number == 2:
            mark = Path(urlsplit(house.settings.tiers["cold"].url).path) / MARK
            mark.chmod(0o644)
            os.utime(mark)
    assert set(walked) == {"cold"}
