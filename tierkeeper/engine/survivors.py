"""Looks at the copies that stay, before the last other one goes (R21).

Where each call of a store goes where the name leads (S3), a commit can believe an upload that landed elsewhere: the
place was away and back between the two readings of its mark. Others empty buckets too, by a lifecycle rule or by hand.
So before collect's decision point every copy that would be left is looked at: a HEAD by its pin, and the tier's mark
read after all of them. What is missing or different is reported, and converge makes it anew from the copy that was to
go; where nobody answers nothing is concluded. Either way the other copy stays until a later collect.

It costs a HEAD for each blob that loses its last other copy, some at once, and two readings of the mark a tier and
batch. It is no part of the transaction that decides: that one asks again whether exactly these copies stay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tierkeeper.base import log as logs
from tierkeeper.catalog import epochs, switches
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine import candidates, checking, damage
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.engine.ripeness import Verdict
from tierkeeper.engine.transfer import fault
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import StoreError

log = logs.get(__name__)

#: what runs count: the calls made, and the copies that were found missing or different
LOOKS, DAMAGED = "looks at copies that stay", "damaged"
_GIVEN_UP = 20  # so many calls of a batch that a tier did not answer are enough: the others would wait as long


@dataclass(slots=True)
class Look:
    """What was seen: the right copies, and what the run counts."""

    seen: dict[UUID, ObjectKey] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def look(
    engine: Engine,
    picked: Sequence[tuple[UUID, UUID]],
    *,
    away: Mapping[str, Verdict],
    actor: str,
    dry_run: bool,
) -> Look:
    """Look at the copies that would stay of these candidates; report what is missing or different, unless ``dry_run``.

    No store is asked, nor the catalog, where all are bound.
    """
    found = Look()
    if all(store.bound for store in engine.stores.values()):
        return found
    with engine.catalog.reading() as connection:
        if switches.deletes_refused(connection) is not None or epochs.distrusted(connection) is not None:
            return found  # nothing goes: it is the decision that says so
        staying = list(candidates.judge(connection, engine, picked, away=away, seen=None).to_see.values())
    tiers = {copy.tier for copy in staying} & engine.stores.keys()
    tiers -= engine.refused(tiers).keys()
    asked = [copy for copy in staying if copy.tier in tiers]
    answers = _ask(engine, asked, found.counts)
    tiers -= engine.refused(tiers).keys()  # the marks after: what another place said counts for nothing (R19)
    for copy, answer in zip(asked, answers, strict=True):
        if answer is None or copy.tier not in tiers:
            continue
        if not answer:
            found.seen[copy.id] = key_of(copy)
        elif not dry_run:
            reason = f"{answer.rstrip('.')} (seen before the last other copy was to go)"
            if damage.report(engine, copy, reason=reason, actor=actor, confirmed=True) is not None:
                found.counts[DAMAGED] += 1
    return found


def _ask(engine: Engine, copies: Sequence[PlacementRow], counts: Counter[str]) -> list[str | None]:
    """Return what is wrong with each copy, empty where nothing is; None where its store gave no answer."""
    unanswered: Counter[str] = Counter()

    def ask(copy: PlacementRow) -> tuple[int, str | None]:
        if unanswered[copy.tier] >= _GIVEN_UP:
            return 0, None
        try:
            wrong = checking.look(engine, copy)
            if wrong is None:
                return 1, ""
            return 2, checking.look(engine, copy) or ""  # again: a store may answer wrong once
        except Exception as error:  # noqa: BLE001  whatever it is, that copy was not seen
            unanswered[copy.tier] += 1
            told = error if isinstance(error, StoreError) else fault(copy.tier, error)
            log.warning("a copy that stays cannot be seen", location=copy.location, error=str(told))
            return 1, None

    answers = engine.in_parallel(ask, copies)
    counts[LOOKS] += sum(calls for calls, _ in answers)
    return [wrong for _, wrong in answers]
