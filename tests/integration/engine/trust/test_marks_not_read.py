"""A mark that could not be read is not known: nothing is decided without it (R19, R22)."""

import errno
import os
from collections.abc import Callable
from typing import NoReturn, cast

import pytest
from support.around import broken
from support.callers import TESTER
from support.house import House

from tierkeeper.catalog import identity
from tierkeeper.catalog.database import catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import accept, dump
from tierkeeper.engine.trust import places
from tierkeeper.stores import tier_mark
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import MarkNotRead


def put(engine: Engine, store: Store) -> None:
    """Let this store serve its tier."""
    cast("dict[str, Store]", engine.stores)[store.config.tier] = store


DECISIONS: dict[str, Callable[[Engine], object]] = {
    "accept": lambda engine: accept.accept(engine, caller=TESTER, reason="the disk died"),
    "rebuild": lambda engine: places.inherit(engine, unfinished=False),
    "init": lambda engine: places.mark_all(engine, make=True, caller=TESTER).check(),
    "adopt": lambda engine: places.take_over(engine, "cold", caller=TESTER, reason="moved", lost=True),
    "renew": places.renew,
}


@pytest.mark.parametrize("decision", DECISIONS)
def test_nothing_is_decided_without_a_mark(open_house: Callable[..., House], decision: str) -> None:
    """It is refused with what to do, changes nothing, and is done when the mark can be read again."""
    house = open_house()
    engine = house.keeper.engine
    cold = engine.store("cold")
    before = cold.mark()
    put(engine, broken(cold, KeyError, "mark"))
    with pytest.raises(
        MarkNotRead, match=r"Tier cold cannot be used: .* is not known, .*KeyError: .an adapter's own fault.*try again"
    ):
        DECISIONS[decision](engine)
    put(engine, cold)
    assert cold.mark() == before
    if decision not in {"rebuild", "adopt"}:
        DECISIONS[decision](engine)


def test_no_mark_of_an_older_line_is_left_behind(open_house: Callable[..., House]) -> None:
    """An acceptance that could not read a mark says so, and the next one writes all of them."""
    house = open_house()
    engine = house.keeper.engine
    engine.catalog.run(TESTER, lambda c: identity.begin_line(c, by="tester", reason="restored", now=catalog_now(c)))
    engine.marks.refresh()
    cold = engine.store("cold")
    put(engine, broken(cold, KeyError, "mark"))
    with pytest.raises(MarkNotRead):
        places.renew(engine)
    put(engine, cold)
    tiers = [engine.store(tier.name) for tier in engine.tiers]
    assert set(engine.marks.refused(tiers, bound=True)) >= {"hot", "warm", "cold"}
    accept.accept(engine, caller=TESTER, reason="the disk died")
    assert not engine.marks.refused(tiers, bound=True)


def test_a_folder_whose_mark_cannot_be_read(open_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails to read it does not say that nothing is there."""
    house = open_house()

    def failing(*_arguments: object, **_named: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(tier_mark, "parse", failing)
    with pytest.raises(MarkNotRead, match="Input/output error"):
        house.keeper.engine.store("warm").mark()


def test_dumps_are_listed_whatever_other_tiers_are(open_house: Callable[..., House]) -> None:
    """Only the tier that has them is asked."""
    house = open_house()
    engine = house.keeper.engine
    dump.dump(engine, caller=TESTER)
    warm = engine.store("warm")
    put(engine, broken(warm, KeyError, "mark"))
    assert len(dump.listed(engine)) == 1
    put(engine, warm)
