"""Check many copies in parallel, each by a HEAD with its pin, between two readings of each tier's mark (R19)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from tierkeeper.base import log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.copies.read_budget import Reads, Unread
from tierkeeper.stores.errors import StoreError, StoreTransient
from tierkeeper.stores.gate import fault

_log = log.get(__name__)

#: checks one copy; returns what is wrong with it, None if nothing is; raises where the store does not tell
CopyCheck = Callable[[Engine, PlacementRow], Wrong | None]
_GIVEN_UP = 20  # failed calls of a batch after which a tier is not queried further: each might wait for as long


@dataclass(slots=True)
class Presence:
    """The copies that their tiers answered for, each with what is wrong (None: nothing); the number of calls."""

    answered: list[tuple[PlacementRow, Wrong | None]] = field(default_factory=list)
    calls: int = 0


def check_copies(engine: Engine, copies: Sequence[PlacementRow], *, how: CopyCheck | None = None) -> Presence:
    """Check these copies, by ``how`` or :func:`check.by_head`; wrong ones twice, since a store may err once.

    A copy is left out of the result where its store failed, it was not read, or the tier's place was not confirmed.
    """
    look = how or partial(check.by_head, reads=Reads(engine))
    tiers = {copy.tier for copy in copies}
    refused = engine.refused(tiers)
    tiers -= refused.keys()
    queried = [copy for copy in copies if copy.tier in tiers]
    unanswered: Counter[str] = Counter()

    def ask(copy: PlacementRow) -> tuple[int, Wrong | StoreError | None]:
        if unanswered[copy.tier] >= _GIVEN_UP:
            return 0, StoreTransient(tier=copy.tier, reason="it was not asked again")
        try:
            if look(engine, copy) is None:
                return 1, None
            return 2, look(engine, copy)  # again: a store may err once
        except Unread as error:  # does not count against its tier
            return 0, error
        except Exception as error:  # noqa: BLE001  whatever it is, that copy was not seen
            unanswered[copy.tier] += 1
            failure = error if isinstance(error, StoreError) else fault(copy.tier, error)
            _log.warning("a copy cannot be looked at", tier=copy.tier, location=copy.location, error=str(failure))
            return 1, failure

    answers = engine.in_parallel(ask, queried)
    unseen = [refused[copy.tier] for copy in copies if copy.tier in refused]
    _tell([*unseen, *(answer for calls, answer in answers if not calls and isinstance(answer, StoreError))])
    tiers -= engine.refused(tiers).keys()  # the marks again: answers of another place do not count
    presence = Presence(calls=sum(calls for calls, _ in answers))
    for copy, (_, answer) in zip(queried, answers, strict=True):
        if copy.tier in tiers and not isinstance(answer, StoreError):
            presence.answered.append((copy, answer))
    return presence


def _tell(unseen: Sequence[TierkeeperError]) -> None:
    """Log how many copies of each tier were not seen, by kind of error, with the first one's message."""
    alike: dict[tuple[str, type], list[TierkeeperError]] = defaultdict(list)
    for error in unseen:
        alike[str(error.data["tier"]), type(error)].append(error)
    for (tier, _), errors in alike.items():
        _log.warning("copies were not looked at", tier=tier, copies=len(errors), reason=str(errors[0]))
