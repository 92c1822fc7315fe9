"""An adapter that raises what no store should, and a server that redirects, end no command and stop no other tier."""

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import BinaryIO, cast

import pytest
from support.around import Around, broken
from support.callers import TESTER
from support.house import House, OpenHouse
from support.reconciling import reconcile
from support.refusing import Refusing, refusing
from support.stored_objects import MakeStore, info_of

from tierkeeper.base import callers
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.stores import gate
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Put, Store, Stored
from tierkeeper.stores.errors import StoreDefect, StoreError, StoreUnusable
from tierkeeper.values.health import Condition

TAKES = {"put": ("there", io.BytesIO(b"content"), None)}
METHODS = (*TAKES, *(name for name in gate.METHODS if name not in {"close", "location", "remember"}), "list", "open")


def sweeps(house: House) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what sweeps and commands do with the tiers, by name."""
    keeper = house.keeper
    yield "health", keeper.health.check
    yield "converge", house.turn
    yield "collect", house.collect
    yield "reconcile", partial(reconcile, house)
    yield "verify", partial(keeper.sweeps.verify, caller=TESTER)
    yield "stats", keeper.tiers.stats
    yield "doctor", lambda: list(keeper.recovery.examine())
    yield "dump", partial(keeper.recovery.dump, caller=TESTER)
    yield "init", partial(keeper.init, caller=callers.INIT)


def go_on(house: House) -> None:
    """Do everything; a sweep of all tiers ends, and what needs the broken one alone ends in an error of ours."""
    house.store("warm", b"to warm", age=timedelta(days=10))
    house.store("gone", b"to be gone", age=timedelta(days=10))
    for name, sweep in sweeps(house):
        try:
            sweep()
        except TierkeeperError as error:
            assert name in {"dump", "init"}, (name, error)  # noqa: PT017  which sweeps may end so
            assert "cold" in str(error)  # noqa: PT017  as above
    assert house.tiers("warm") == {"warm"}


@pytest.mark.parametrize("error", [ValueError, RecursionError])
def test_a_broken_adapter_stops_no_other_tier(house: House, error: type[Exception]) -> None:
    """Whatever it raises is told as its tier's, and what is due elsewhere is done."""
    house.store("there", b"cold already", age=timedelta(days=40))
    house.settle()
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    right = stores["cold"]
    house.store("left", b"to cold", age=timedelta(days=40))
    stores["cold"] = broken(right, error, *METHODS)
    go_on(house)
    vital = house.keeper.health.check()["tier cold"]
    assert (vital.condition, error.__name__ in vital.detail) == (Condition.BAD, True)
    result, _ = reconcile(house)
    assert {tier.tier for tier in result.tiers if tier.away is None} >= {"hot", "warm"}
    stores["cold"] = right
    assert house.read("there") == b"cold already"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_an_adapter_has_the_gate(house: House, method: str) -> None:
    """Called from wherever, it raises an error of the port, with its tier; its own calls see what it raises."""
    store = broken(house.keeper.engine.store("cold"), RecursionError, method)
    call = partial(getattr(store, method), *TAKES.get(method, ()))
    with pytest.raises(StoreError, match="RecursionError") as raised:
        call() if method != "open" else call().__enter__()
    assert raised.value.data["tier"] == "cold"


def test_the_gate_is_around_the_whole_port() -> None:
    """What the port has for sweeps is behind the gate; making a store and judging its URL are the factory's."""
    port = {name for name in vars(Store) if not name.startswith("_")} - {
        "from_url",
        "check_url",
        "delete_batch",
        "guard",
    }
    assert port == {*gate.METHODS, *gate.PROPERTIES, "put", "put_many", "list", "open"}


def test_what_many_come_to_is_behind_the_gate(house: House) -> None:
    """An adapter's own fault is a fault of its tier in the outcome of one of many, too, and stops no other."""

    class Stumbling(Around):
        def put_many(self, puts: Sequence[Put]) -> list[Stored | Exception]:
            return [KeyError("an adapter's own fault"), *super().put_many(puts)[1:]]

    store = Stumbling(house.keeper.engine.store("cold"))
    infos = [info_of(b"x", name=name) for name in ("a", "b")]
    first, second = store.put_many([Put(store.location(info), io.BytesIO(b"x"), info) for info in infos])
    assert isinstance(first, StoreDefect)
    assert "KeyError" in str(first)
    assert isinstance(second, Stored)
    store.delete([ObjectKey(store.location(info)) for info in infos])


def test_a_store_sees_its_own_exceptions(house: House) -> None:
    """An adapter may find out by an exception of its own, raised by another of its methods."""

    class Asking(Around):
        def check(self) -> None:
            raise LookupError

        def prepare(self) -> list[str]:
            try:
                self.check()
            except LookupError:
                return ["made"]
            return []

    store = Asking(house.keeper.engine.store("cold"))
    assert store.prepare() == ["made"]
    with pytest.raises(StoreError, match="LookupError"):
        store.check()


def test_what_a_reader_raises_is_not_the_stores(house: House) -> None:
    """Within the block of an opened object the exceptions are its user's; those of its bytes are the store's."""

    class Breaking(Around):
        def list(self, prefix: str = "") -> Iterator[object]:  # type: ignore[override]  # what it does not get to
            yield from ()
            raise ValueError(prefix)

    house.store("a", b"some bytes", age=timedelta(days=40))
    house.settle()
    store = Breaking(house.keeper.engine.store("cold"))
    (where,) = [copy.location for copy in house.show("a").placements]
    with pytest.raises(KeyError), store.open(ObjectKey(where)) as pieces:
        raise KeyError(next(pieces))
    with pytest.raises(StoreError, match="ValueError"):
        list(store.list())


def test_a_source_that_fails_is_no_fault_of_the_tier(house: House) -> None:
    """What reading the content raises comes out as it was, whatever the adapter takes it for."""

    class Blaming(Around):
        def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
            try:
                return super().put(location, content, info)
            except OSError as error:
                raise StoreUnusable(tier="cold", reason=str(error)) from error

    class Source(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "the source's disk has a bad day", size)

    info = info_of(b"content")
    store = Blaming(house.keeper.engine.store("cold"))
    with pytest.raises(OSError, match="bad day"):
        store.put(store.location(info), Source(), info)


@pytest.fixture
def front(s3_endpoint: str) -> Iterator[Refusing]:
    """A server that redirects once it is told to."""
    with refusing(s3_endpoint) as found:
        yield found


def test_a_redirect_is_told_at_once_with_its_address(make_store: MakeStore, front: Refusing) -> None:
    """Left to itself, botocore asks for the bucket's region until the stack is full."""
    front.redirects_to = "https://s3.example.org/"
    store = make_store(f"s3://cold-moved?endpoint={front.endpoint}&attempts=1", prepared=False)
    with pytest.raises(StoreUnusable, match=r"redirects to https://s3\.example\.org/"):
        store.check()


@pytest.mark.parametrize("client", ["signed", "boto3"])
@pytest.mark.parametrize("location", ["https://s3.example.org/", "", "/cold-moved"])
def test_a_redirecting_endpoint_stops_no_other_tier(
    open_house: OpenHouse, front: Refusing, client: str, location: str
) -> None:
    """It answers 301, as where https is wanted: every command ends, and says which address to give."""
    url = f"s3://cold-moved?endpoint={front.endpoint}&client={client}&attempts=1"
    house = open_house(tiers={"cold": {"url": url}})
    house.store("there", b"cold already", age=timedelta(days=40))
    house.settle()
    front.redirects_to = location
    go_on(house)
    with pytest.raises(StoreUnusable, match="redirects"):
        house.keeper.engine.store("cold").check()
    front.redirects_to = None
    assert house.read("there") == b"cold already"
