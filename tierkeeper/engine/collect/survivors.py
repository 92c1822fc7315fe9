"""Looks at the copies that stay, before the last other one goes (R21).

Any place may have lost what was committed there. A folder or a database is put back from an older copy, mark and all;
somebody empties a bucket, or deletes versions by their ids; an upload landed elsewhere, the place away and back between
the two readings of its mark. So before collect's decision point every copy that would be left is looked at, in every
store: a HEAD by its pin, a stat, a row without its content; and the tier's mark is read with it or after it. What is
different is damaged, and converge makes it anew from the copy that was to go; so is what is missing, but in stores that
are called, where it is a suspect first (R20). Where nobody answers nothing is concluded. Either way the other copy
stays until a later collect.

Where a store is called and nobody knows a copy's pin, a HEAD cannot tell other bytes of equal length. Such a copy is
read whole, or judged by its server's SHA-256 where it would be thawed for that, and has the pin of that from then on
(R18). Copies of the release before are like that, and those that were taken over or healed by it.

It costs a look for each blob that loses its last other copy, some at once, and two readings of the mark a tier and
batch. It is no part of the transaction that decides: that one asks again whether exactly these copies stay.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import epochs, switches
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.collect import candidates
from tierkeeper.engine.collect.ripeness import Verdict
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, looking, vouching
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.copies.opener import key_of
from tierkeeper.engine.copies.reads import Reads
from tierkeeper.stores.base import ObjectKey

#: what runs count: the calls made; besides, the copies that were reported, by what they are now
LOOKS, READS = "looks at copies that stay", "copies that stay, read whole"


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
    caller: Caller,
    dry_run: bool,
) -> Look:
    """Look at the copies that would stay of these; report what is missing or different, unless ``dry_run``."""
    found = Look()
    with engine.catalog.reading() as connection:
        if switches.deletes_refused(connection) is not None or epochs.distrusted(connection) is not None:
            return found  # nothing goes: it is the decision that says so
        staying = list(candidates.judge(connection, engine, picked, away=away, seen=None).to_see.values())
    random.shuffle(staying)  # a look that gives up leaves others unasked each time
    reads = Reads(engine)
    reading, by_pin = _Reading(reads), partial(check.look, reads=None if dry_run else reads)
    looked = looking.at(engine, [copy for copy in staying if not _is_nameless(engine, copy)], how=by_pin)
    read = looking.at(engine, [copy for copy in staying if _is_nameless(engine, copy)], how=reading.check)
    found.counts += Counter({LOOKS: looked.calls, READS: read.calls})
    found.seen |= {copy.id: key_of(copy.form) for copy, wrong in looked.told if wrong is None}
    found.seen |= _named(engine, [copy for copy, wrong in read.told if wrong is None], reading, dry_run=dry_run)
    for copy, wrong in [*looked.told, *read.told]:
        if wrong is not None and not dry_run:
            told = replace(wrong, reason=f"{wrong.reason.rstrip('.')} (seen before the last other copy was to go)")
            reported = damage.report(engine, copy, told, caller=caller, confirmed=True)
            if reported is not None:
                found.counts[reported.value] += 1
    return found


@dataclass(slots=True)
class _Reading:
    """Reads copies whole; keeps what their bytes are named by."""

    reads: Reads
    pins: dict[UUID, str | None] = field(default_factory=dict)

    def check(self, engine: Engine, copy: PlacementRow) -> Wrong | None:
        """Return what is wrong with a copy; raises what its store raises, and Unread where the time is over."""
        found = check.whole(engine, copy, reads=self.reads)
        if isinstance(found, Wrong):
            return found
        self.pins[copy.id] = found.pin
        return None


def _is_nameless(engine: Engine, copy: PlacementRow) -> bool:
    """Whether a HEAD would not tell other bytes of equal length: nothing names those of the copy."""
    store = engine.stores.get(copy.tier)
    return store is not None and not store.bound and copy.pin is None and copy.store_version is None


def _named(
    engine: Engine, copies: Sequence[PlacementRow], reading: _Reading, *, dry_run: bool
) -> Mapping[UUID, ObjectKey]:
    """Note the pins of copies that were read and are right; return by which key each was seen."""
    if dry_run:
        return {copy.id: key_of(copy.form) for copy in copies}
    noted = vouching.vouch(engine, copies, reading.pins)
    return {copy.id: replace(key_of(copy.form), pin=reading.pins.get(copy.id)) for copy in copies if copy.id in noted}
