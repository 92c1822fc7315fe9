"""Lives in which a tier's place is away for a time: not mounted, emptied, or another catalog's (R19)."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from faults.lives import BACKOFFS_END, CONTENTS, NAMES, Lives
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from support.house import LEASES_END
from support.leading import damaged
from support.places import INSTEAD, OPERATIONS, Leaving, Place
from support.reconciling import reconcile

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.stores.errors import StoreError, TierNotOurs

TIERS = st.sampled_from(["hot", "warm", "cold"])
_AT_REST = st.tuples(TIERS, st.sampled_from(INSTEAD), st.booleans())
_WITHIN = st.tuples(
    st.builds(
        Leaving,
        operation=st.sampled_from(OPERATIONS),
        before=st.sampled_from([True, True, False]),
        instead=st.sampled_from([how for how in INSTEAD if how != "clone"]),  # others are at work there
    ),
    TIERS,
)
_LOCKED = "SELECT location, locked_until FROM placements WHERE tier = 'cold' AND locked_until IS NOT NULL"
_COUNTED = (
    "SELECT a.id, n.name, a.version, a.sha256,"
    " array(SELECT DISTINCT p.tier FROM placements p WHERE p.blob_id = a.blob_id"
    " AND p.state IN ('present', 'doomed')) AS tiers"
    " FROM artifacts a JOIN names n ON n.id = a.name_id WHERE a.state <> 'purged'"
)
_VERSIONS = (
    "SELECT a.id, a.revision FROM artifacts a JOIN names n ON n.id = a.name_id WHERE n.name = :name ORDER BY a.id"
)
_TRIED = "SELECT artifact_id, attempts, parked_reason FROM schedule WHERE attempts > 0 OR parked_reason IS NOT NULL"


class Refused(Exception):  # noqa: N818  an answer, and no error of the test
    """A call was refused because a tier's place is away."""


class Absence(Lives):
    """While a place is away nothing is concluded, written or forgotten there; when it is back all is done."""

    places: dict[str, Place]

    def __init__(self) -> None:
        super().__init__()
        self.settled: set[int] = set()  # which versions were deleted before a place went
        self.waited: set[int] = set()  # which were deleted while one was away: they want what they had then too
        self.returning = False

    @initialize(ages=st.tuples(*[st.sampled_from([0, 8, 40])] * 3), at_rest=_AT_REST, within=st.none() | _WITHIN)
    def begin(
        self, ages: tuple[int, int, int], at_rest: tuple[str, str, bool], within: tuple[Leaving, str] | None
    ) -> None:
        """Three artifacts are there, two of them of one content, and one may be in two tiers; then a place goes."""
        super().begin()
        for place in self.places.values():
            place.vault.locks.clear()
        for name, content, age in zip("abc", [b"one", b"one", b"two"], ages, strict=True):
            self.store(name, content, age)
        self.turn()
        self.promoted("b", "cold")  # what it leaves in another tier is doomed
        if within is None:
            self.leave(at_rest)
        else:
            self.leave_within("a", within)

    # -- where the places are

    @property
    def away(self) -> Place | None:
        """The place that is away."""
        return next((place for place in self.places.values() if place.instead is not None), None)

    @property
    def stable(self) -> bool:
        """Whether every place is where it should be, and stays there."""
        return all(place.instead is None and place.leaving is None for place in self.places.values())

    @rule(at_rest=_AT_REST)
    def leave(self, at_rest: tuple[str, str, bool]) -> None:
        """A place goes; its mark was read just before, or some time ago."""
        self.set_out()
        tier, instead, unread = at_rest
        self.places[tier].leave(instead, unread=unread)
        if unread:
            self.house.keeper.engine.marks._seen.clear()

    @rule(name=NAMES, within=_WITHIN)
    @precondition(lambda self: not self.weather.coming and self.crash is None)
    def leave_within(self, name: str, within: tuple[Leaving, str]) -> None:
        """A place goes right before, or after, a call of some work."""
        self.set_out()
        leaving, tier = within
        match leaving.operation:
            case "put":
                self.places["hot"].leaving = leaving
                self.store(name, b"three", 0)
            case "copy":
                self.store(name, b"four", 0)
                self.places[tier].leaving = leaving
                self.promoted(name, tier)
            case "delete":
                self.store(name, b"five", 0)
                self.promoted(name, "cold")
                self.turn()
                self.places["hot"].leaving = leaving
                self.collect()
            case "open":
                self.places[tier].leaving = leaving
                self.verify()
            case _:
                self.places[tier].leaving = leaving
                self.reconcile()
        self.turn()

    @rule()
    @precondition(lambda self: not self.stable)
    def come_back(self) -> None:
        """It is back: all that was put off is done, and the tiers are what they should be."""
        for place in self.places.values():
            place.come_back()
        self.house.keeper.engine.marks._seen.clear()
        self.time_passes(LEASES_END + BACKOFFS_END)
        self.behind = False
        self.returning = True
        self.turn()
        self.returning = False
        self.waited |= self.deleted() - self.settled

    def set_out(self) -> None:
        """Everything is where it should be before a place goes."""
        if self.stable:
            self.catch_up()
        else:
            self.come_back()
        self.settled = self.deleted()

    def deleted(self, content: bytes | None = None) -> set[int]:
        """The versions that are deleted, all or of one content."""
        versions = self.model.versions()
        return {id(v) for v in versions if v.state == "deleted" and content in {None, v.content}}

    def placed(self, content: bytes, tiers: set[str]) -> bool:
        """Whether a content is where it should be: what was deleted while it waited stays where it was, besides."""
        deleted = self.deleted(content)
        if deleted & self.waited or (self.returning and deleted - self.settled):
            return self.model.wanted(content) <= tiers
        return super().placed(content, tiers)

    # -- what is done meanwhile

    @rule(name=NAMES, content=CONTENTS, age=st.sampled_from([0, 1, 6, 8, 29, 40, 89, 95]))
    def store(self, name: str, content: bytes, age: int) -> None:
        """Store; what is refused is no version."""
        try:
            super().store(name, content, age)
        except Refused:
            known = len(self.model.names.get(name, ()))
            assert len(self.house.sql(_VERSIONS, name=name)) == known

    def verb(self, act: Callable[[Caller], object], name: str, state: str, *, free: bool = True) -> bool:
        """Do it; only a move that has nothing to do is refused, and then nothing is changed."""
        self.catch_up()
        before = self.house.sql(_VERSIONS, name=name)
        try:
            return super().verb(act, name, state, free=free)
        except Refused:
            assert self.house.sql(_VERSIONS, name=name) == before
            return False

    @rule()
    def turn(self) -> None:
        """While a place is away every state is what it should be, and so is every tier that can be reached."""
        if self.stable:
            super().turn()
            return
        for _ in range(2):
            self.time_passes(LEASES_END + BACKOFFS_END)
            self.do(lambda _: self.house.turn())
        self.model.turn()
        for name, number, version in self.versions():
            view = self.house.show(name, number)
            assert view.state == version.state, f"{view.ref}: {view.state}, not {version.state}"

    @rule()
    def collect(self) -> None:
        """Collect; what could be reached still can."""
        away = self.away
        before = self.without(away)
        super().collect()
        assert before <= self.without(away)

    def without(self, away: Place | None) -> set[UUID]:
        """The artifacts that have a copy in another place."""
        tier = None if away is None else away.config.tier
        return {row.id for row in self.house.sql(_COUNTED) if set(row.tiers) - {tier}}

    @rule()
    def verify(self) -> None:
        """Read everything that is present and wanted."""
        self.do(lambda _: self.house.keeper.sweeps.verify(caller=callers.BEAT))

    @rule()
    @precondition(lambda self: not self.weather.coming)
    def reconcile(self) -> None:
        """Compare every tier with the catalog; a store fails it for reasons of its own, which others try."""
        self.do(lambda _: reconcile(self.house))

    # -- what is asked

    def do(self, act: Callable[[Caller], object]) -> None:
        """Do it; raise Refused where a place that is away kept it from being done."""
        calm = self.crash is None and not self.weather.coming
        faulty = bool(self.weather.coming)
        tried = {row.artifact_id: row.attempts for row in self.house.sql(_TRIED)}
        calls = 0

        def asked(caller: Caller) -> None:
            nonlocal calls
            calls += 1
            try:
                act(caller)
            except StoreError as error:
                if self.away is None or (faulty and calls == 1):
                    raise
                if not isinstance(error, TierNotOurs):
                    raise
                raise Refused from error

        try:
            super().do(asked)
        except Refused:
            self.weather.coming.clear()
            self.weather.arrive()
            self.ask()
            raise
        if calm:
            for row in self.house.sql(_TRIED):
                assert row.attempts <= tried.get(row.artifact_id, 0), "an attempt was counted"

    def ask(self) -> None:
        """Every invariant, of the bytes in the tiers' own places; and what is told while one of them is away."""
        with self.unnoticed():
            super().ask()
            for row in self.house.sql(_LOCKED):
                until = self.places["cold"].vault.locks.get(row.location)
                assert until is not None, f"{row.location} is locked in another place"
                assert until >= row.locked_until - timedelta(seconds=1), row.location
        self.told()
        if not self.stable:  # else the invariants did
            for row in self.house.sql(_COUNTED):
                self.read(row)
            self.told()

    def told(self) -> None:
        """No copy was called damaged, nothing was given up, and nobody was in what stands there instead."""
        assert damaged(self.house) == 0
        assert [row for row in self.house.sql(_TRIED) if row.parked_reason is not None] == []
        for place in self.places.values():
            assert not place.touched(), f"somebody was in what stands there for {place.config.tier}"

    def read(self, row: Any) -> None:  # noqa: ANN401  of the catalog
        """What can be reached reads back; what cannot is said to wait for its tier."""
        try:
            content = self.house.read(row.name, row.version, deleted=True)
        except (NoReadableCopy, TierNotOurs):
            if self.away is None or set(row.tiers) != {self.away.config.tier}:
                raise
        else:
            assert hashlib.sha256(content).digest() == bytes(row.sha256)

    @contextmanager
    def unnoticed(self) -> Iterator[None]:
        """Every place is where it should be while this lasts; whose mark was read when is as before."""
        seen = self.house.keeper.engine.marks._seen
        before = dict(seen)
        with ExitStack() as stack:
            for place in self.places.values():
                stack.enter_context(place.at_home())
            yield
        seen.clear()
        seen.update(before)

    def time_passes(self, length: timedelta) -> None:
        """Let time pass for the locks too."""
        self.house.pass_time(length)
        for place in self.places.values():
            place.time_passes(length)

    def teardown(self) -> None:
        """It may be away until the end; then all reads back."""
        self.crash = None
        self.weather.coming.clear()
        try:
            if not self.stable:
                self.catch_up()
                self.turn()
                self.come_back()
            super().teardown()
        finally:
            for place in self.places.values():
                place.come_back()
