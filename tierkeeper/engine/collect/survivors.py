"""Checks of the copies that stay, before a doomed copy of their content is deleted (R21).

Any place may have lost what was committed in it: a folder or a database is restored from an older backup, including its
mark; an operator or another tool empties a bucket, or deletes versions by their ids; an upload landed elsewhere because
the place was away and back between the two readings of its mark. So before collect's decision point every copy that
would stay and counts is checked, in every kind of store: by a HEAD with its pin, a stat, a row without its content; and
the tier's mark is read with it or after it. A copy that differs is damaged, and converge replaces it from the copy that
was to be deleted; a missing one likewise, except that in stores that resolve their place at each call it is a suspect
first (R20). Where a store does not answer, nothing is concluded. In each of these cases the doomed copy is kept until a
later collect.

In a store that resolves its place at each call, a HEAD cannot tell other bytes of equal length from those of a copy
whose pin is not known. Such a copy is read whole, or compared by its server's SHA-256 where a read would need a thaw,
and has the pin of that answer from then on (R18). Copies made, adopted or healed by the previous release are of this
kind.

The cost is one check for each copy that would stay, in parallel, and two readings of the mark per tier and batch.
The checks are not part of the deciding transaction, which asks again whether exactly these copies stay.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.collect import judgement
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, presence, unvouched
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.copies.opener import key_of
from tierkeeper.engine.copies.read_budget import Reads
from tierkeeper.engine.trust import permission
from tierkeeper.stores.base import ObjectKey, Store

#: keys of a run's counts: the calls made. Besides, reported copies are counted by what they became
LOOKS, READS = "looks at copies that stay", "copies that stay, read whole"


@dataclass(slots=True)
class SeenSurvivors:
    """The copies that were checked and are right, and the run's counts."""

    seen: dict[UUID, ObjectKey] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def check_all(
    engine: Engine,
    picked: Sequence[tuple[UUID, UUID]],
    *,
    away: Mapping[str, Verdict],
    caller: Caller,
    dry_run: bool,
) -> SeenSurvivors:
    """Check the copies that would stay; report those that are missing or differ, unless ``dry_run``.

    ``picked``: the candidates, as (placement, blob).
    """
    found = SeenSurvivors()
    with engine.catalog.reading() as connection:
        if permission.refused(connection) is not None:
            return found  # nothing will be deleted: the decision refuses it
        staying = list(judgement.judge_batch(connection, engine, picked, away=away, seen=None).to_see.values())
    random.shuffle(staying)  # a check that gives up leaves other copies unchecked each time
    reads = Reads(engine)
    reading, by_pin = _CheckedRead(reads), partial(check.by_head, reads=None if dry_run else reads)
    looked = presence.check_copies(
        engine, [copy for copy in staying if not _is_nameless(engine.stores, copy)], how=by_pin
    )
    read = presence.check_copies(
        engine, [copy for copy in staying if _is_nameless(engine.stores, copy)], how=reading.check
    )
    found.counts += Counter({LOOKS: looked.calls, READS: read.calls})
    found.seen |= {copy.id: key_of(copy.form) for copy, wrong in looked.answered if wrong is None}
    right = [copy for copy, wrong in read.answered if wrong is None]
    found.seen |= _named(engine.catalog, right, reading, caller=caller, dry_run=dry_run)
    for copy, wrong in [*looked.answered, *read.answered]:
        if wrong is not None and not dry_run:
            finding = replace(wrong, reason=f"{wrong.reason.rstrip('.')} (seen before the last other copy was to go)")
            reported = damage.report(engine, copy, finding, caller=caller, confirmed=True)
            if reported is not None:
                found.counts[reported.value] += 1
    return found


@dataclass(slots=True)
class _CheckedRead:
    """Reads copies whole, and keeps the pins of those reads."""

    reads: Reads
    pins: dict[UUID, str | None] = field(default_factory=dict)

    def check(self, engine: Engine, copy: PlacementRow) -> Wrong | None:
        """Return what is wrong with a copy, None if nothing is; raises as :func:`check.whole` does."""
        found = check.whole(engine, copy, reads=self.reads)
        if isinstance(found, Wrong):
            return found
        self.pins[copy.id] = found.pin
        return None


def _is_nameless(stores: Mapping[str, Store], copy: PlacementRow) -> bool:
    """Return True if a HEAD cannot tell other bytes of equal length: the copy has neither a pin nor a version id."""
    store = stores.get(copy.tier)
    return store is not None and not store.bound and copy.pin is None and copy.store_version is None


def _named(
    catalog: Database, copies: Sequence[PlacementRow], reading: _CheckedRead, *, caller: Caller, dry_run: bool
) -> Mapping[UUID, ObjectKey]:
    """Record the pins of copies that were read and are right; return the key that each was seen by."""
    if dry_run:
        return {copy.id: key_of(copy.form) for copy in copies}
    noted = unvouched.vouch(catalog, copies, reading.pins, caller=caller)
    return {copy.id: replace(key_of(copy.form), pin=reading.pins.get(copy.id)) for copy in copies if copy.id in noted}
