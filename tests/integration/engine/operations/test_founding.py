"""The first start on an embedded catalog: which places it makes, and what is left when it is interrupted."""

import threading
from collections.abc import Callable, Iterator
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


class Silent(Around):
    """A store whose server accepts what it is asked and does not answer before the test is over."""

    over: threading.Event

    def mark(self) -> TierMark | None:
        self.over.wait(10)
        raise StoreTransient(tier=self.config.tier, reason="silence")


class Locking(Around):
    """A store that can lock, and notes that it was asked."""

    asked: set[str]

    @property
    def can_lock(self) -> bool:
        self.asked.add(self.config.tier)
        return True


def replace(keeper: Keeper, tier: str, store: Store) -> None:
    """Put a store in the place of a tier's own."""
    cast("dict[str, Store]", keeper._engine.stores)[tier] = store


def spoil(keeper: Keeper, tier: str, error: BaseException) -> None:
    """Let writing the mark of a tier fail."""
    replace(keeper, tier, Failing(keeper._engine.stores[tier], error))


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


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """What ends the silence of silent stores."""
    event = threading.Event()
    yield event
    event.set()


def test_a_start_waits_for_all_tiers_no_longer_than_a_probe(
    settings_factory: Callable[..., Settings], over: threading.Event
) -> None:
    """Where tiers accept and never answer, a start of a catalog that was founded names them after ``health.probe``."""
    with Keeper.open(settings_factory()) as keeper:
        keeper.start(caller=callers.INIT)
        assert keeper.start(caller=callers.INIT) == []
    with Keeper.open(settings_factory(health={"probe": "200ms"})) as keeper:
        for tier in ("warm", "cold"):
            silent = Silent(keeper._engine.stores[tier])
            silent.over = over
            replace(keeper, tier, silent)
        with pytest.raises(TierNotOurs, match=r"(?s)warm.*not answered within 0.2s.*cold.*not answered within 0.2s"):
            keeper.start(caller=callers.INIT)


def test_a_start_asks_for_locks_only_where_a_built_in_policy_changes(
    settings_factory: Callable[..., Settings],
) -> None:
    """Tiers are asked whether they lock where the retention of records changes, and only those that it names."""

    def asked(years: int | None) -> set[str]:
        with Keeper.open(settings_factory(retention={"record_years": years})) as keeper:
            found: set[str] = set()
            for tier, store in list(keeper._engine.stores.items()):
                locking = Locking(store)
                locking.asked = found
                replace(keeper, tier, locking)
            keeper.start(caller=callers.INIT)
            return found

    assert [asked(None), asked(7), asked(7), asked(None)] == [set(), {"cold"}, set(), set()]


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
