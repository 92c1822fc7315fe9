"""What a reconcile does about bad copies: report them, so that converge repairs them, and heal those that are right.

A crash leaves what was reported and healed so far; the next reconcile looks at everything again.
"""

from collections import Counter
from itertools import islice

from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import artifacts, inventory, placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, suspects
from tierkeeper.engine.copies.opener import Read
from tierkeeper.engine.reconcile.comparison import Bad, Comparison
from tierkeeper.stores.errors import StoreError
from tierkeeper.values.progress import ProgressCallback

_log = log.get(__name__)

_BATCH = 500


def repair(
    engine: Engine, comparison: Comparison, *, caller: Caller, progress: ProgressCallback = lambda _done: None
) -> Counter[str]:
    """Report a tier's bad copies, and heal those whose bytes are right again; return the counts of each outcome."""
    counts: Counter[str] = Counter()
    bad = comparison.bad()
    while batch := list(islice(bad, _BATCH)):
        with engine.catalog.reading() as connection:
            copies = {copy.id: copy for copy in placements.load(connection, [each.placement for each in batch])}
            owners = inventory.owners(connection, {copy.blob_id for copy in copies.values()})
            rows = {row.id: row for row in artifacts.load(connection, list(owners.values()))}
        right = [copies[each.placement] for each in batch if each.wrong is None and each.placement in copies]
        counts += suspects.look_again(engine, [copy for copy in right if copy.suspect], caller=caller)
        for each in batch:
            copy = copies.get(each.placement)
            if copy is not None and (each.wrong is not None or copy.damaged_at is not None):
                counts[_about(engine, each, copy, rows.get(owners.get(copy.blob_id, copy.id)), caller=caller)] += 1
        progress(0)
    return +counts


def _about(engine: Engine, bad: Bad, copy: PlacementRow, owner: ArtifactRow | None, *, caller: Caller) -> str:
    """Report one bad copy, or heal it if its bytes are right; return the word that it is counted under."""
    if bad.wrong is not None:
        # the comparison has read the mark after its last answer: no second read is needed
        reported = damage.report(engine, copy, bad.wrong, caller=caller, confirmed=True)
        words = {None: "passed over", damage.Reported.DAMAGED: "reported"}
        return words.get(reported) or damage.Reported.SUSPECT.value
    if engine.refused([copy.tier]):  # the mark before the read; heal reads it again afterwards (R19)
        return "still damaged"
    try:
        found = None if owner is None else check.check(engine, copy, owner.content, pinned=False)
        if isinstance(found, Read):
            return "healed" if damage.heal(engine, copy, caller=caller, pin=found.pin) else "passed over"
    except StoreError as error:
        _log.warning("a damaged copy could not be read again", tier=copy.tier, location=copy.location, error=str(error))
    return "still damaged"
