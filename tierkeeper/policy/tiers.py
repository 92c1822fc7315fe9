"""The properties of a tier that policies use: its name, how cold it is and whether it can lock."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tierkeeper.base.errors import UnknownTier
from tierkeeper.base.states import Temperature


@dataclass(frozen=True, slots=True)
class TierInfo:
    """One configured tier. ``rank`` orders all of them, 0 is the hottest; no two have the same."""

    name: str
    temperature: Temperature
    rank: int
    #: whether its store can lock objects; a function asks the store, so that only a rule that needs it does
    can_lock: bool | Callable[[], bool] = False
    is_database: bool = False

    @property
    def locks(self) -> bool:
        """Whether its store can lock objects; raises what the store raises where that is not known."""
        return self.can_lock() if callable(self.can_lock) else self.can_lock


def ordered(names: Iterable[str], tiers: Sequence[TierInfo]) -> tuple[str, ...]:
    """Return ``names`` from hottest to coldest. Raises UnknownTier for one that is not configured."""
    ranks = {tier.name: tier.rank for tier in tiers}
    wanted = set(names)
    for name in sorted(wanted - ranks.keys()):
        raise UnknownTier(tier=name, known=", ".join(ranks))
    return tuple(sorted(wanted, key=ranks.__getitem__))


def hottest(names: Iterable[str], tiers: Sequence[TierInfo]) -> str:
    """Return the hottest of ``names``, of which there must be one. Raises UnknownTier as :func:`ordered`."""
    return ordered(names, tiers)[0]


def coldest(names: Iterable[str], tiers: Sequence[TierInfo]) -> str:
    """Return the coldest of ``names``, of which there must be one. Raises UnknownTier as :func:`ordered`."""
    return ordered(names, tiers)[-1]


def coldest_lockable(names: Iterable[str], tiers: Sequence[TierInfo]) -> str | None:
    """Return the coldest of ``names`` that can lock objects, None if none can. Raises UnknownTier.

    No tier that is hotter than the returned one is asked.
    """
    by_name = {tier.name: tier for tier in tiers}
    return next((name for name in reversed(ordered(names, tiers)) if by_name[name].locks), None)
