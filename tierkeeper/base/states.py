"""The states of artifacts, placements, runs; the words are those of the glossary."""

from datetime import datetime
from enum import StrEnum


class ArtifactState(StrEnum):
    """Where an artifact is in its life."""

    LIVE = "live"
    DELETED = "deleted"  # can be undeleted until purge_at
    PURGED = "purged"  # irrevocable


class PlacementState(StrEnum):
    """Where one copy is in its life: copying > present > doomed > deleting > row gone."""

    COPYING = "copying"
    PRESENT = "present"
    DOOMED = "doomed"
    DELETING = "deleting"

    @property
    def kept(self) -> bool:
        """True if a copy's bytes must be there: neither being written nor being deleted."""
        return self in {PlacementState.PRESENT, PlacementState.DOOMED}


class CopyStanding:
    """How far a copy counts, of every class that has these fields; ``catalog/conditions.py`` says it in SQL."""

    __slots__ = ()

    state: PlacementState
    damaged_at: datetime | None
    missed_at: datetime | None

    @property
    def kept(self) -> bool:
        """True if its bytes must be there: neither being written nor being deleted."""
        return self.state.kept

    @property
    def readable(self) -> bool:
        """True if its bytes may be read: written once, not found damaged, not being deleted."""
        return self.kept and self.damaged_at is None

    @property
    def suspect(self) -> bool:
        """True if it was missed once at its location: neither believed to be there nor to be gone (R20)."""
        return self.readable and self.missed_at is not None


class Vouched(StrEnum):
    """Why a copy's bytes are known to be the artifact's; None where the copy is not vouched for (R15, R17)."""

    WRITTEN = "written"  # we streamed them, their SHA-256 agreed, and the store acknowledged all of them
    SERVER = "server"  # the server's own SHA-256 of the whole agrees
    PINNED = "pinned"  # copied by the server from a vouched copy that was named by its pin
    READ = "read"  # they were read back from the store


class RetentionMode(StrEnum):
    """The WORM modes of S3 Object Lock."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


class OverrideKind(StrEnum):
    """How an override joins the tiers of the phase: beside them, or instead of them."""

    ADD = "add"
    REPLACE = "replace"


class WriteStrategy(StrEnum):
    """Which of the wanted copies exist before ``store`` returns."""

    ALL = "all"  # write-through
    HOTTEST = "hottest"  # write-behind
    COLDEST = "coldest"  # write-around


class Temperature(StrEnum):
    """How near a tier is; ordered from hot to cold by :attr:`rank`."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"

    @property
    def rank(self) -> int:
        """0 for hot, 1 for warm, 2 for cold."""
        return list(Temperature).index(self)


class RunState(StrEnum):
    """The state of a sweep or bulk job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    AWAITING_APPROVAL = "awaiting approval"
    APPROVED = "approved"  # its sweep may act on what it counted
    REJECTED = "rejected"
    ABANDONED = "abandoned"


class RunKind(StrEnum):
    """The kind of work of a run."""

    ROTATE = "rotate"
    CLEAN_HOT = "clean_hot"
    COLLECT = "collect"
    RECOMPUTE = "recompute"
    VERIFY = "verify"
    RECONCILE = "reconcile"
    MAINTAIN = "maintain"
    PURGE = "purge"  # deletions that the brake stopped
    APPLY = "apply"  # of a stored plan
    DUMP = "dump"
    REBUILD = "rebuild"  # also the takeover by an accepted restore


class Outcome(StrEnum):
    """The explicit outcome of each item of a batch."""

    DONE = "done"
    NOTHING = "nothing to do"
    REFUSED = "refused"
    RETRY = "retry later"
    PARKED = "parked"
