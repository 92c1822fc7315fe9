"""The catalog's epoch: it reveals an older copy of the catalog before that copy does harm.

A catalog restored to an hour ago would take an hour of data for orphans, and delete artifacts that were rescued, held
or stored again since. So the epoch has a twin in the coldest tier, and every reconcile and every dump raises both; the
epoch also records the server, timeline and database that the catalog was on. A catalog whose twin is ahead or has
another mark, or that is on another server, timeline or database, is not trusted: collect pauses and reconcile only
quarantines until an operator accepts it (:mod:`tierkeeper.engine.recovery.accept`).

The catalog is raised first, then its twin is written. A crash in between leaves a catalog ahead of its twin, which is
no finding; the other order would raise a false alarm. While the coldest tier is unavailable the question stays open:
nothing is recorded, so that this does not stop collect in the other tiers.
"""

import io
import json
import re
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.audit.catalog import RestoreRecognised
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogRestored
from tierkeeper.catalog import epochs, refusals
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.epochs import Epoch
from tierkeeper.engine.context import Engine
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores import deletes
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import StoreError

FOLDER = f"{own_objects.PREFIX}epoch/"
_TWIN = re.compile(re.escape(FOLDER) + r"(\d+)-([0-9a-f-]{36})")
_KEPT = 10  # twins kept; only the highest counts


def require_trusted(connection: sa.Connection) -> None:
    """Raise CatalogRestored where the catalog may be an older copy of itself; called at every decision to delete."""
    reason = epochs.distrusted(connection)
    if reason is not None:
        raise CatalogRestored(reason=reason)


def check(engine: Engine, *, caller: Caller) -> str | None:
    """Compare the catalog with its twin; return why it is not trusted, None if it is.

    A reason found is recorded in the catalog, where collect reads it; an unreadable twin is not recorded.
    """
    try:
        reason = doubt(engine)
    except StoreError as error:
        return f"the catalog's twin in the coldest tier cannot be read: {error}"
    if reason is not None:
        recognise(engine.catalog, reason, caller=caller)
    return reason


def doubt(engine: Engine) -> str | None:
    """Return why the catalog is not trusted, None if it is; record nothing. Raises StoreError."""
    with engine.catalog.reading() as connection:
        noted = epochs.distrusted(connection)
    if noted is not None:
        return noted
    marks_of = twins(engine)
    # read the catalog after its twins: another sweep may raise both meanwhile, the catalog first
    with engine.catalog.reading() as connection:
        return _ahead(epochs.standing(connection).epoch, marks_of)


def advance(engine: Engine, *, caller: Caller) -> str | None:
    """Raise the epoch of a trusted catalog and its twin; return why they were not both raised, None if they were."""
    reason = check(engine, caller=caller)
    if reason is not None:
        return reason
    raised = engine.catalog.run(caller, _raised, caller)
    if isinstance(raised, str):
        recognise(engine.catalog, raised, caller=caller)
        return raised
    try:
        write_twin(engine, raised, caller=caller)
    except StoreError as error:
        return f"the catalog's twin in the coldest tier cannot be written: {error}"
    return None


def twins(engine: Engine) -> dict[int, set[UUID]]:
    """Return the marks of the twins in the coldest tier, by epoch number; raises StoreError."""
    marks_of: dict[int, set[UUID]] = {}
    store = own_objects.home(engine)
    for stored in () if store is None else store.list(FOLDER):
        match = _TWIN.fullmatch(stored.location)
        if match is not None:
            marks_of.setdefault(int(match[1]), set()).add(UUID(match[2]))
    if store is not None:
        engine.marks.confirm(store)  # another place has no twins, or another catalog's
    return marks_of


def write_twin(engine: Engine, epoch: Epoch, *, caller: Caller) -> None:
    """Write the epoch's twin, and delete twins that are ``_KEPT`` epochs old; raises StoreError."""
    store = own_objects.home(engine)
    if store is None or epoch.mark is None:
        return
    with engine.catalog.reading() as connection:
        moment = catalog_now(connection)
    content = io.BytesIO(json.dumps({"epoch": epoch.number, "line": str(epoch.line)}).encode())
    location = f"{FOLDER}{epoch.number}-{epoch.mark}"
    own_objects.put(store, location, content, made=moment, mark=epoch.mark, content_type="application/json")
    engine.marks.confirm(store)
    old = [(n, mark) for n, marks in twins(engine).items() if n <= epoch.number - _KEPT for mark in marks]
    if old:
        results = store.delete([ObjectKey(f"{FOLDER}{number}-{mark}") for number, mark in old[: store.delete_batch]])
        refused = deletes.first_refusal(results)
        engine.catalog.run(caller, refusals.note_sweep, store.config.tier, "epoch", refused)


def _ahead(epoch: Epoch, marks_of: dict[int, set[UUID]]) -> str | None:
    highest = max(marks_of, default=0)
    if highest > epoch.number:
        return f"the coldest tier knows epoch {highest}, and the catalog is at {epoch.number}"
    if highest == epoch.number and epoch.mark not in marks_of[highest]:
        return f"epoch {highest} was given out by another copy of this catalog"
    return None


def _raised(connection: sa.Connection, caller: Caller) -> Epoch | str:
    """Raise the epoch and return it; else return why the catalog is not trusted: since the check, by a standby say."""
    epochs.lock(connection)
    reason = epochs.distrusted(connection)
    if reason is not None:
        return reason
    before = epochs.standing(connection).epoch
    epoch = Epoch(before.number + 1, uuid4(), before.line or uuid4(), epochs.server(connection))
    epochs.raise_to(connection, epoch, by=caller.actor, reason="a sweep", now=catalog_now(connection))
    return epoch


def recognise(catalog: Database, reason: str, *, caller: Caller) -> None:
    """Record that the catalog may be an older copy of itself, unless it is distrusted already."""
    catalog.run(caller, _distrust, reason, caller=caller)


def _distrust(connection: sa.Connection, reason: str, *, caller: Caller) -> None:
    epochs.lock(connection)
    if epochs.standing(connection).trust == epochs.TRUSTED:
        moment: datetime = catalog_now(connection)
        epochs.set_trust(
            connection, epochs.RESTORED, by=caller.actor, reason=reason, now=moment, event=RestoreRecognised
        )
