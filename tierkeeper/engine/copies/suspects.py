"""Second looks at suspects: copies that were once not found in a store that resolves its place at each call (R20).

Converge (when the artifact is due), readers, verify and reconcile look again at a suspect that they meet. So that no
suspect waits for ever, its artifacts become due when its quarantine is over, and the daily verify of a share first
looks at all suspects in configured tiers whose quarantine is over.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import placements
from tierkeeper.catalog.database import clocks
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import damage, presence

#: key of a run's counts, besides those of ``damage.Reported``
FOUND_AGAIN = "found again"
_BATCH = 200


def look_again(engine: Engine, copies: Sequence[PlacementRow], *, caller: Caller) -> Counter[str]:
    """Look at suspects at their locations; count what became of them. Without an answer they stay suspects."""
    counts: Counter[str] = Counter()
    for copy, wrong in presence.check_copies(engine, copies).answered:
        if wrong is not None:
            reported = damage.report(engine, copy, wrong, caller=caller, confirmed=True)
            if reported is not None:
                counts[reported.value] += 1
        elif damage.found_again(engine, copy, caller=caller, confirmed=True):
            counts[FOUND_AGAIN] += 1
    return counts


def ripe(engine: Engine) -> Iterator[list[PlacementRow]]:
    """Yield the suspects whose quarantine is over, in batches; then those that were missed at a time still to come.

    For the latter, which a clock that was ahead recorded, a look that misses them begins the quarantine.
    """
    with engine.catalog.reading() as connection:
        now = clocks(connection)
    yield from _missed(engine, placements.BEGINNING, until=now.earlier - engine.settings.reconcile.quarantine)
    yield from _missed(engine, placements.past(now.later), until=placements.END)


def _missed(engine: Engine, after: placements.Cursor, *, until: datetime) -> Iterator[list[PlacementRow]]:
    while True:
        with engine.catalog.reading() as connection:
            batch = placements.suspects(connection, until=until, after=after, limit=_BATCH)
        if not batch:
            return
        after = (batch[-1].missed_at, batch[-1].id)
        if configured := [copy for copy in batch if copy.tier in engine.stores]:
            yield configured
