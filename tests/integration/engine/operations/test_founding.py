"""The first start on an embedded catalog: which places it makes, and what is left when it is interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from support.around import Around

from tierkeeper.base import callers
from tierkeeper.engine.trust import places
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import StoreTransient, TierNotOurs
from tierkeeper.stores.tier_mark import TierMark


class Power(BaseException):
    """The process ends here."""


class Failing(Around):
    """A store that fails when a mark is to be written."""

    def __init__(self, inner: Store, error: BaseException) -> None:
        super().__init__(inner)
        self.error = error

    def write_mark(self, mark: TierMark) -> TierMark:  # noqa: ARG002  nothing is written
        raise self.error


def spoil(keeper: Keeper, tier: str, error: BaseException) -> None:
    """Let writing the mark of a tier fail."""
    stores = cast("dict[str, Store]", keeper._engine.stores)
    stores[tier] = Failing(stores[tier], error)


def marked(settings: Settings) -> set[str]:
    """The file tiers that have a mark."""
    return {path.parent.parent.name for path in (settings.home / "tiers").glob("*/.tierkeeper/tier.json")}


def test_an_interrupted_first_start_goes_on(settings_factory: Callable[..., Settings]) -> None:
    """Where the first start ended before all places were made, the next one makes the rest; a later one makes none."""
    settings = settings_factory()
    with Keeper.open(settings) as keeper:
        spoil(keeper, "warm", Power())
        with pytest.raises(Power):
            keeper.start(caller=callers.INIT)
    assert "warm" not in marked(settings)
    with Keeper.open(settings) as keeper:
        keeper.start(caller=callers.INIT)
    assert marked(settings) == {"hot", "warm", "cold"}
    more = {"deep": {"url": (settings.home / "tiers" / "deep").as_uri(), "temperature": "cold"}}
    with Keeper.open(settings_factory(tiers=more)) as keeper, pytest.raises(TierNotOurs, match="deep"):
        keeper.start(caller=callers.INIT)
    assert marked(settings) == {"hot", "warm", "cold"}


def test_a_tier_that_does_not_answer_hinders_no_other(settings_factory: Callable[..., Settings]) -> None:
    """Init makes and marks the other tiers, and says then what the store of that one said."""
    settings = settings_factory()
    with Keeper.open(settings) as keeper:
        spoil(keeper, "hot", StoreTransient(tier="hot", reason="it is away"))
        with pytest.raises(StoreTransient, match="it is away"):
            keeper.init(caller=callers.INIT)
    assert marked(settings) == {"warm", "cold"}


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("file://{home}/tiers/warm", True),
        ("file://{home}/tiers/../../disk", False),
        ("file://{home}/linked/warm", False),
        ("file://{home}/tiers/%2E%2E/%2E%2E/disk", False),
        ("postgres:", True),
        ("postgres:?schema=more", True),
        ("postgres:?host=db.example", False),
        ("postgres:?hostaddr=192.0.2.1", False),
        ("postgres:?service=other", False),
        ("postgres:?dbname=other", False),
        ("s3://bucket?endpoint=http://192.0.2.1", False),
    ],
)
def test_what_an_embedded_catalog_may_make(
    settings_factory: Callable[..., Settings], tmp_path: Path, url: str, *, own: bool
) -> None:
    """Only what lies below its home or base_path, wherever links and dots lead, or in its own database."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "disk").mkdir()
    (home / "linked").symlink_to(tmp_path / "disk")
    with Keeper.open(settings_factory(tiers={"warm": {"url": url.format(home=home)}})) as keeper:
        assert places._is_own(keeper._engine.settings, "warm") is own
