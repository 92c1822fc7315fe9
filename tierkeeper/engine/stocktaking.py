"""Make a catalog agree with what the stores really have, after it was rebuilt or restored.

Every tier is looked at as reconcile does (:mod:`tierkeeper.engine.reconcile_look`). What no placement knows is taken
over first, in all tiers (:mod:`tierkeeper.engine.adopt`); then what is missing or is another size is reported, so that
converge makes it anew. In this order a copy that was moved meanwhile is found where it is now before it is missed where
it was. Nothing is deleted. All of it can be done again, after a crash or because it took long.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TextIO
from uuid import UUID

from tierkeeper.base.findings import Finding, FindingKind, ReconcileLimits
from tierkeeper.engine import adopt, reconcile_act
from tierkeeper.engine.adopt import Adopted, Object
from tierkeeper.engine.context import Engine
from tierkeeper.engine.reconcile_look import Look
from tierkeeper.stores.errors import StoreTransient

_BATCH = 200


def take_stock(
    engine: Engine,
    *,
    actor: str,
    run: UUID | None,
    dry_run: bool = False,
    found: Callable[[Adopted], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counter[str]:
    """Do it for every tier, and return what was found; StoreTransient where a tier does not answer."""
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        looks = []
        strangers = stack.enter_context(tempfile.TemporaryFile("w+", prefix="tierkeeper-"))
        for tier in engine.tiers:
            look = _look(engine, tier.name, strangers, counts, progress=progress)
            stack.callback(look.close)
            away = look.take().away
            if away is not None:
                raise StoreTransient(tier=tier.name, reason=away)
            looks.append(look)
        objects = _read(strangers)
        while batch := list(islice(objects, _BATCH)):
            done = adopt.adopt(engine, batch, actor=actor, run=run, dry_run=dry_run)
            counts += adopt.counted(done)
            for one in done if found is not None else ():
                found(one)
            if progress is not None:
                progress(len(batch))
        for look in () if dry_run else looks:
            counts += reconcile_act.repair(engine, look, actor=actor)
    return +counts


def _look(
    engine: Engine, tier: str, strangers: TextIO, counts: Counter[str], *, progress: Callable[[int], None] | None
) -> Look:
    def note(finding: Finding) -> None:
        if finding.kind is FindingKind.ORPHAN:
            strangers.write(json.dumps([finding.tier, finding.location, finding.version, finding.size]) + "\n")
        else:
            counts[finding.kind.value] += 1

    settings = engine.settings.reconcile
    limits = ReconcileLimits(settings.quarantine, settings.stop_share, settings.stop_floor)
    return Look(engine, tier, limits=limits, record=False, found=note, progress=progress or _silent)


def _read(strangers: TextIO) -> Iterator[Object]:
    strangers.seek(0)
    for line in strangers:
        yield Object(*json.loads(line))


def _silent(_done: int) -> None:
    """Show no progress."""
