"""Looks at the copies that stay, before the last other one goes (R21).

Any place may have lost what was committed there. A folder or a database is put back from an older copy, mark and all;
somebody empties a bucket, or deletes versions by their ids; an upload landed elsewhere, the place away and back between
the two readings of its mark. So before collect's decision point every copy that would be left is looked at, in every
store: a HEAD by its pin, a stat, a row without its content; and the tier's mark is read with it or after it. What is
different is damaged, and converge makes it anew from the copy that was to go; so is what is missing, but in stores that
are called, where it is a suspect first (R20). Where nobody answers nothing is concluded. Either way the other copy
stays until a later collect.

It costs a look for each blob that loses its last other copy, some at once, and two readings of the mark a tier and
batch. It is no part of the transaction that decides: that one asks again whether exactly these copies stay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from tierkeeper.catalog import epochs, switches
from tierkeeper.engine import candidates, damage, looking
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.engine.ripeness import Verdict
from tierkeeper.stores.base import ObjectKey

#: what runs count: the calls made; besides, the copies that were reported, by what they are now
LOOKS = "looks at copies that stay"


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
    """Look at the copies that would stay of these; report what is missing or different, unless ``dry_run``."""
    found = Look()
    with engine.catalog.reading() as connection:
        if switches.deletes_refused(connection) is not None or epochs.distrusted(connection) is not None:
            return found  # nothing goes: it is the decision that says so
        staying = list(candidates.judge(connection, engine, picked, away=away, seen=None).to_see.values())
    looked = looking.at(engine, staying, renaming=not dry_run)
    found.counts[LOOKS] += looked.calls
    for copy, wrong in looked.told:
        if wrong is None:
            found.seen[copy.id] = key_of(copy)
        elif not dry_run:
            told = replace(wrong, reason=f"{wrong.reason.rstrip('.')} (seen before the last other copy was to go)")
            reported = damage.report(engine, copy, told, actor=actor, confirmed=True)
            if reported is not None:
                found.counts[reported.value] += 1
    return found
