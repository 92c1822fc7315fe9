"""Lives among foreign hands: copies of an older release that nobody vouches for, and bytes that somebody overwrites.

What was vouched for and is overwritten afterwards may be the word on which others go; that cannot be prevented where a
store keeps no versions. So such a hand reaches in while something is moved, and puts right what nobody noticed. What
nobody vouches for stays overwritten: it counts for nothing until it was read.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from faults.lives import BACKOFFS_END, NAMES, Lives
from faults.unheeding import Unheeding
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from support import invariants
from support.house import LEASES_END

from tierkeeper.base import callers

_COPIES = (
    "SELECT p.id, p.tier, p.location, p.blob_id, p.state, p.vouched IS NOT NULL AS vouched,"
    " p.damaged_at IS NOT NULL AS damaged, b.sha256 FROM placements p JOIN blobs b ON b.id = p.blob_id"
    " WHERE p.state IN ('present', 'doomed') ORDER BY p.id"
)
_COUNTED = (
    "SELECT n.name, a.version, a.blob_id FROM artifacts a JOIN names n ON n.id = a.name_id WHERE a.state <> 'purged'"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy as the catalog has it, and whether the bytes that lie there are right."""

    id: UUID
    tier: str
    location: str
    blob: UUID
    state: str
    vouched: bool
    damaged: bool
    right: bool


class Hands(Lives):
    """Whatever hands do: no bad copy is vouched for, no right one goes on its word, and all converges on right ones."""

    folders: dict[str, Unheeding]

    def __init__(self) -> None:
        super().__init__()
        self.overwritten: dict[str, tuple[str, bytes]] = {}  # of what is vouched for: location, its tier and its bytes

    @initialize(heeds=st.booleans(), ages=st.tuples(*[st.sampled_from([0, 8, 40])] * 3))
    def begin(self, heeds: bool, ages: tuple[int, int, int]) -> None:  # noqa: FBT001  drawn
        """The servers of this life heed pins, or have none; three artifacts are there, two of them of one content."""
        super().begin()
        for folder in self.folders.values():
            folder.heeds = heeds
            folder.locks.clear()
        for name, content, age in zip("abc", [b"one", b"one", b"two"], ages, strict=True):
            self.store(name, content, age)
        self.turn()

    # -- what is there

    def kept(self) -> list[Kept]:
        """Return every copy that may be read."""
        found = []
        for row in self.house.sql(_COPIES):
            path = self.folders[row.tier].path(row.location)
            right = path.exists() and hashlib.sha256(path.read_bytes()).digest() == bytes(row.sha256)
            found.append(Kept(row.id, row.tier, row.location, row.blob_id, row.state, row.vouched, row.damaged, right))
        return found

    def spare(self) -> list[Kept]:
        """Return the right copies without which others of their content are right, and not found damaged."""
        kept = [copy for copy in self.kept() if copy.right and not copy.damaged]
        return [copy for copy in kept if any(c.blob == copy.blob and c.id != copy.id for c in kept)]

    def overwrite(self, copy: Kept) -> bytes:
        """Put other bytes of equal length there; return those that were."""
        path = self.folders[copy.tier].path(copy.location)
        before = path.read_bytes()
        self.write(copy.tier, copy.location, bytes(byte ^ 1 for byte in before))
        return before

    def write(self, tier: str, location: str, content: bytes) -> None:
        """Write where nobody may write."""
        path = self.folders[tier].path(location)
        path.chmod(0o600)
        path.write_bytes(content)

    # -- what hands do

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def come_from_an_older_release(self, data: st.DataObject) -> None:
        """Some copies are as a release made them that took a store's word; some of them are wrong."""
        self.catch_up()
        kept = self.kept()
        chosen = data.draw(st.lists(st.sampled_from(kept), unique=True, max_size=3)) if kept else []
        self.doubt(chosen)
        for copy in chosen:
            if copy.id in {spare.id for spare in self.spare()} and data.draw(st.booleans()):
                self.overwrite(copy)
        self.behind = True

    def doubt(self, copies: Sequence[Kept]) -> None:
        """Forget who vouches for these."""
        for copy in copies:
            self.house.sql(
                "UPDATE placements SET vouched = NULL, pin = NULL, verified_at = NULL WHERE id = :id", id=copy.id
            )

    @rule(data=st.data(), name=NAMES)
    @precondition(lambda self: not self.overwritten)
    def promote_among_hands(self, data: st.DataObject, name: str) -> None:
        """A name is moved to where its content has no copy, and one that it may be made from is overwritten."""
        if (free := self.reach_in(data, name)) is not None:
            self.promoted(name, data.draw(st.sampled_from(free)))
            self.undo()

    @rule(data=st.data(), name=NAMES)
    @precondition(lambda self: not self.overwritten)
    def restore_among_hands(self, data: st.DataObject, name: str) -> None:
        """A name is restored to where its content has no copy, and one that it may be made from is overwritten."""
        if "hot" in (self.reach_in(data, name) or ()):
            self.restored(name, 3)
        self.undo()

    def reach_in(self, data: st.DataObject, name: str) -> list[str] | None:
        """Overwrite one of the copies of what lives under a name; return the tiers where there is none, if any."""
        self.catch_up()
        if name not in self.model.names or self.latest(name).state != "live":
            return None
        if len(self.house.show(name).tiers) == 1:  # no other copy would be left
            self.promoted(name, next(iter({"warm", "cold"} - set(self.house.show(name).tiers))))
            self.restored(name, None)
        blob = self.house.sql("SELECT blob_id FROM artifacts WHERE id = :id", id=self.house.show(name).id)[0].blob_id
        spare = [copy for copy in self.spare() if copy.blob == blob and copy.vouched]
        free = sorted({"hot", "warm", "cold"} - {copy.tier for copy in self.kept() if copy.blob == blob})
        if not spare or not free:
            return None
        copy = data.draw(st.sampled_from(spare))
        self.overwritten[copy.location] = (copy.tier, self.overwrite(copy))
        return free

    def undo(self) -> None:
        """Put right what nobody noticed."""
        noticed = {copy.location for copy in self.kept() if copy.damaged}
        for location, (tier, before) in self.overwritten.items():
            if location not in noticed and self.folders[tier].path(location).exists():
                self.write(tier, location, before)
        self.overwritten.clear()
        self.behind = True

    @rule()
    def verify(self) -> None:
        """Read everything that is present and wanted."""
        self.do(lambda _: self.house.keeper.sweeps.verify(caller=callers.BEAT))
        self.behind = True

    # -- what is asked

    def ask(self) -> None:
        """Every invariant, but what a hand overwrote after somebody vouched for it; and right bytes for all."""
        invariants.check(self.house.keeper, reads=0, overwritten=self.overwritten)
        right = {copy.blob for copy in self.kept() if copy.right}
        for row in self.house.sql(_COUNTED):
            assert row.blob_id in right, f"I1: no right copy is left of {row.name} v{row.version}"

    @rule()
    def turn(self) -> None:
        """What was found damaged is made anew by one turn, and what depends on it by the next."""
        for _ in range(2):
            self.do(lambda _: self.house.turn())
            self.time_passes(LEASES_END + BACKOFFS_END)
        super().turn()

    def teardown(self) -> None:
        """What an older release left is read first: until then a reader may come upon wrong bytes, and is told so."""
        self.crash = None
        self.weather.coming.clear()
        self.verify()
        super().teardown()
