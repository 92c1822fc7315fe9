"""Housekeeping of the catalog itself and of staging: partitions ahead, silent and old runs, unclaimed uploads."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from tierkeeper.base.states import RunKind
from tierkeeper.base.values import SweepResult
from tierkeeper.catalog import partitions, runs, staging
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.engine import content
from tierkeeper.engine.context import Engine
from tierkeeper.engine.sweep import SILENCE
from tierkeeper.stores.base import DeleteState, ObjectKey

_BATCH = 1000


def maintain(engine: Engine, *, actor: str) -> SweepResult:
    """Do all of it once; idempotent."""
    run = engine.catalog.run(lambda c: runs.begin(c, RunKind.MAINTAIN, actor=actor))
    counts: Counter[str] = Counter()
    made = engine.catalog.run(lambda c: partitions.make_ahead(c, now=catalog_now(c)))
    counts["partitions made"] = len(made)
    counts["runs abandoned"] = engine.catalog.run(lambda c: runs.abandon_silent(c, silence=SILENCE))
    counts["runs forgotten"] = engine.catalog.run(lambda c: runs.prune(c, kept=engine.settings.runs_kept))
    counts["uploads adopted"] = _adopt(engine)
    counts["uploads deleted"] = _delete_expired(engine)
    done = +counts
    engine.catalog.run(lambda c: runs.add(c, run, counts=done))
    engine.catalog.run(lambda c: runs.finish(c, run))
    return SweepResult(dict(done), 0, 0, more=False)


def _adopt(engine: Engine) -> int:
    """Give a row to uploads that nobody claimed within the time to live, so that they are deleted like others."""
    store = content.staging_store(engine.settings)
    try:
        oldest = datetime.now(UTC) - engine.settings.staging.ttl
        unclaimed = [
            UUID(item.location)
            for item in store.list()
            if _is_upload(item.location) and item.modified is not None and item.modified < oldest
        ]
    finally:
        store.close()
    for start in range(0, len(unclaimed), _BATCH):
        names = unclaimed[start : start + _BATCH]
        engine.catalog.run(partial(staging.adopt, names=names))
    return len(unclaimed)


def _delete_expired(engine: Engine) -> int:
    """Delete uploads whose time is over: those taken by a store a while ago, and those adopted."""
    deleted = 0
    store = content.staging_store(engine.settings)
    try:
        while True:
            with engine.catalog.reading() as connection:
                names = staging.expired(connection, limit=min(_BATCH, store.delete_batch))
            if not names:
                return deleted
            results = store.delete([ObjectKey(str(name)) for name in names])
            gone = [n for n, r in zip(names, results, strict=True) if r.state is DeleteState.DELETED]
            engine.catalog.run(partial(staging.forget, names=gone))
            deleted += len(gone)
            if len(gone) < len(names):
                return deleted  # the store refused some: the next maintain tries again
    finally:
        store.close()


def _is_upload(location: str) -> bool:
    try:
        UUID(location)
    except ValueError:
        return False
    return True
