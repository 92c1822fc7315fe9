"""Scenario 7, at the port: stores that fail in every way, while artifacts live whole lives."""

import contextlib
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from support import scale as scales
from support.callers import TESTER
from support.faulty_store import Fault, Forecast, Weather, bad_weather
from support.house import LEASES_END, TENANT, WORKFLOW, House
from support.house import houses as opened_houses
from support.scale import Scale

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.errors import StoreTransient
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, UndeleteArgs
from tierkeeper_client.errors import TierkeeperError

STEPS_OF_A_DAY = 6
NOT_THERE, NOT_NOW, OF_STORES = 3, 5, 6  # exit codes
TRIES = 30  # of a delivery; with the share of faults below, so many in a row do not happen
R = TypeVar("R")


class Refused(Exception):  # noqa: N818  no error: an answer
    """What was asked for makes no sense now."""


class Lives:
    """Random lives in bad weather: each command is delivered under its key until it is answered."""

    def __init__(self, house: House, weather: Weather, chance: random.Random) -> None:
        self.house, self.weather, self.chance = house, weather, chance
        self.contents: dict[str, list[bytes]] = {}  # by name, by version: what was acknowledged

    def live(self, days: int) -> None:
        """Some commands a day, then a night with sweeps."""
        for _ in range(days):
            for _ in range(STEPS_OF_A_DAY):
                self.chance.choice([self.store, self.store, self.verb, self.verb, self.read])()
            self.house.turn()
            self.house.collect()
            self.leases_end()
            self.house.days_pass(self.chance.choice([0, 1, 5]))

    def store(self) -> None:
        """Store a new version; a refused delivery is sent again until it is answered, and has the effect of one."""
        name = self.chance.choice("abcdef")
        content = self.chance.choice([b"shared", b"other", self.chance.randbytes(100)])
        args = self.house.args(name, content, force=True)
        result = self.delivered(lambda caller: self.house.keeper.artifacts.store(args, caller=caller))
        versions = self.contents.setdefault(name, [])
        versions.append(content)
        assert result.ref.version == len(versions)

    def verb(self) -> None:
        """Do something to the latest version; what makes no sense now is refused."""
        if not self.contents:
            return
        named = {"tenant": TENANT, "workflow": WORKFLOW, "name": self.chance.choice(sorted(self.contents))}
        keeper = self.house.keeper
        tier = self.chance.choice(["hot", "warm", "cold"])
        commands: list[Callable[[Caller], object]] = [
            lambda caller: keeper.artifacts.promote(PromoteArgs(**named, to_tier=tier), caller=caller),
            lambda caller: keeper.artifacts.archive(ArchiveArgs(**named), caller=caller),
            lambda caller: keeper.artifacts.restore(RestoreArgs(**named, to_tier=tier), caller=caller),
            lambda caller: keeper.artifacts.purge(PurgeArgs(**named), caller=caller),
            lambda caller: keeper.artifacts.undelete(UndeleteArgs(**named), caller=caller),
        ]
        chosen = self.chance.choice(commands)
        with contextlib.suppress(Refused):
            self.delivered(chosen)

    def read(self) -> None:
        """What is read is right, or it is an error: never wrong bytes."""
        if not self.contents:
            return
        name = self.chance.choice(sorted(self.contents))
        version = self.chance.randint(1, len(self.contents[name]))
        try:
            found = self.house.read(name, version, deleted=True)
        except TierkeeperError:
            return
        assert found == self.contents[name][version - 1]

    def delivered(self, command: Callable[[Caller], R]) -> R:
        """Deliver until it is answered by something other than a store's fault."""
        caller = Caller("tester", key=str(uuid4()))
        for _ in range(TRIES):
            try:
                return command(caller)
            except TierkeeperError as error:
                if error.exit_code in {NOT_THERE, NOT_NOW}:
                    raise Refused(str(error)) from error
                if error.exit_code != OF_STORES:
                    raise
                self.leases_end()
        msg = f"{TRIES} deliveries were not enough"
        raise AssertionError(msg)

    def leases_end(self) -> None:
        """What is under way arrives, then leases end: later than that no write arrives."""
        self.weather.arrive()
        self.house.pass_time(LEASES_END)


@pytest.mark.parametrize(("share", "apart"), [(0.1, False), (0.4, False), (0.4, True)])
def test_storms_at_the_port(
    settings_factory: Callable[..., Settings], scale: Scale, chance: random.Random, *, share: float, apart: bool
) -> None:
    """Whatever stores answer, commands have the effect of one, reads are right or fail, and all settles in the end."""
    quick, cas = {"options": {"fsync": "no"}}, {"options": {"fsync": "no", "layout": "cas"}}
    with opened_houses(settings_factory) as open_house:
        # one store call at a time: the same seed draws the same faults
        house = open_house(tiers={"hot": quick, "warm": cas, "cold": cas}, engine={"io_threads": 1, "grace": "0s"})
        weather = Weather(chance, share)
        with bad_weather(house.keeper, weather, apart=apart):
            lives = Lives(house, weather, chance)
            lives.live(scale(short=8, long=40))
        house.pass_time(LEASES_END)
        # two wrong answers in a row, and a copy is called bad; reconcile reads it again and takes that back
        house.keeper.sweeps.reconcile(caller=callers.BEAT)
        house.settle()
        for name, versions in lives.contents.items():
            for version, content in enumerate(versions, start=1):
                if house.show(name, version).state != "purged":
                    assert house.read(name, version, deleted=True) == content
        stored = sum(map(len, lives.contents.values()))
        assert house.sql("SELECT count(*) FROM artifacts")[0][0] == stored
        assert house.sql("SELECT count(*) FROM events WHERE type = 'stored'")[0][0] == stored
    met = {name.partition(": ")[2] for name in weather.met}
    assert met
    if scales.LONG and share > 0.3:
        assert len(set(Fault) - met) <= 2, met


def test_what_came_wrong_once_is_no_damage(house: House, chance: random.Random) -> None:
    """Bytes that come wrong once are not given out, and the copy, read again and right, is not called damaged."""
    house.store("a", b"content")
    for fault in (Fault.WRONG, Fault.SHORT, Fault.MISSING):
        with bad_weather(house.keeper, Forecast(chance, coming={"open": [fault]})):
            if fault is Fault.MISSING:
                assert house.read("a") == b"content"  # asked again
            else:
                with pytest.raises(StoreTransient):
                    house.read("a")
            assert house.read("a") == b"content"
    assert house.events("a") == ["stored"]
    house.settle()


def test_a_wrong_answer_behind_a_mismatch_is_no_damage(house: House, chance: random.Random) -> None:
    """Where a target has other bytes, its source is called damaged only if it answers wrong twice."""
    for fault in (Fault.WRONG, Fault.SHORT, Fault.MISSING):
        house.store(fault.name, fault.name.encode(), age=timedelta(days=8))
        with bad_weather(house.keeper, Forecast(chance, coming={"copy": [Fault.WRONG], "open": [fault]})):
            house.turn()
        assert "damaged" not in house.events(fault.name)
        assert house.read(fault.name) == fault.name.encode()
    house.pass_time(LEASES_END)
    house.settle()


def test_verify_reads_again_what_came_wrong(house: House, chance: random.Random) -> None:
    """A wrong answer that a store does not repeat is no damage to verify either."""
    house.store("a", b"content")
    for fault in (Fault.WRONG, Fault.SHORT, Fault.MISSING):
        with bad_weather(house.keeper, Forecast(chance, coming={"open": [fault]})):
            assert house.keeper.sweeps.verify(caller=TESTER).counts == {"verified": 1}
    assert house.events("a") == ["stored"]


def test_verify_goes_on_past_a_defect(house: House, chance: random.Random) -> None:
    """A store that fails in a way of its own makes one copy unreadable to verify, and ends no sweep."""
    house.store("a", b"one")
    house.store("b", b"two")
    with bad_weather(house.keeper, Forecast(chance, coming={"open": [Fault.DEFECT]})):
        assert house.keeper.sweeps.verify(caller=TESTER).counts == {"verified": 1, "unreadable": 1}


def test_another_copy_answers_for_a_defect(house: House, chance: random.Random) -> None:
    """A store that fails in a way of its own is passed over by a reader as any other that does not answer."""
    house.store("a", b"content")
    house.archive("a")
    house.restore("a", to_tier="hot")
    with bad_weather(house.keeper, Forecast(chance, coming={"open": [Fault.DEFECT]})):
        assert house.read("a") == b"content"
    house.settle()


def test_a_defect_behind_a_mismatch_stops_no_batch(house: House, chance: random.Random) -> None:
    """Where a target has other bytes and its source can't be read again, the rest of the batch goes on."""
    for name in "abc":
        house.store(name, name.encode(), age=timedelta(days=8))
    coming = {"copy": [Fault.WRONG], "open": [Fault.DEFECT]}
    with bad_weather(house.keeper, Forecast(chance, coming=coming)):
        house.turn()
    assert sorted(tier for name in "abc" for tier in house.tiers(name)) == ["hot", "warm", "warm"]
    house.pass_time(LEASES_END)
    house.settle()
    assert {tier for name in "abc" for tier in house.tiers(name)} == {"warm"}
