"""The modes of files that a release before wrote into the tiers."""

from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from support.around import Around
from support.house import House

from tierkeeper.base import callers
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import StoreTransient


class Refusing(Around):
    """A store whose files cannot be looked at."""

    def tighten_modes(self, *, seconds: float) -> int:  # noqa: ARG002  it does not come to it
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
