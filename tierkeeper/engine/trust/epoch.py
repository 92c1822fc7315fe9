"""The catalog's epoch: it reveals an older copy of the catalog before that copy does harm.

A catalog restored to an hour ago would take an hour of data for orphans, and delete artifacts that were rescued, held
or stored again since. So the epoch has a twin in the coldest tier, and every reconcile and every dump raises both; the
epoch also records the server, timeline and database that the catalog was on. A catalog whose twin is ahead or has
another mark, or that is on another server, timeline or database, is not trusted: collect pauses and reconcile only
quarantines until an operator accepts it (:mod:`tierkeeper.engine.recovery.accept`).

The catalog is raised first, then its twin is written. A crash in between leaves a catalog ahead of its twin, which is
no finding; the other order would raise a false alarm. The missing twin is written before the epoch is raised again, so
a catalog is never far ahead. One that was raised more than once and has no twin among its last epochs is not known to
be the newest: that no twin contradicts it is no agreement, so it is not trusted either. While the coldest tier is
unavailable the question stays open: nothing is recorded, so that this does not stop collect in the other tiers.

A tier that is colder than the others and new has no twins yet: those in the tier that was the coldest before count.
"""

import io
import json
import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from tierkeeper.audit.catalog import RestoreRecognised
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import epochs, refusals
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.epochs import Epoch
from tierkeeper.engine.context import Engine
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores import deletes
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.refusals import refusal
from tierkeeper.values.refusals import Reason

FOLDER = f"{own_objects.PREFIX}epoch/"
_TWIN = re.compile(re.escape(FOLDER) + r"(\d+)-([0-9a-f-]{36})")
_FIRST = 2  # the epoch of a catalog that was raised once since it was made
_KEPT = 10  # twins kept; only the highest counts, and a catalog without any of the last ones is not trusted


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
        current = epochs.standing(connection).epoch
    reason = _ahead(current, marks_of)
    return reason if reason is not None or own_objects.home(engine) is None else _unknown(current, marks_of)


def advance(engine: Engine, *, caller: Caller) -> str | None:
    """Raise the epoch of a trusted catalog and its twin; return why they were not both raised, None if they were."""
    reason = check(engine, caller=caller)
    if reason is not None:
        return reason
    try:
        _write_missing_twin(engine, caller=caller)
        raised = engine.catalog.run(caller, _raised, caller)
        if isinstance(raised, str):
            recognise(engine.catalog, raised, caller=caller)
            return raised
        write_twin(engine, raised, caller=caller)
    except StoreError as error:
        return f"the catalog's twin in the coldest tier cannot be written: {error}"
    return None


def twins(engine: Engine) -> dict[int, set[UUID]]:
    """Return the marks of the twins, by epoch number, in the coldest tier that has any; raises StoreError."""
    for store in own_objects.homes(engine):
        if marks_of := _twins_in(engine, store):
            return marks_of
    return {}


def _twins_in(engine: Engine, store: Store) -> dict[int, set[UUID]]:
    marks_of: dict[int, set[UUID]] = {}
    for stored in store.list(FOLDER):
        match = _TWIN.fullmatch(stored.location)
        if match is not None:
            marks_of.setdefault(int(match[1]), set()).add(UUID(match[2]))
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
    old = [(n, mark) for n, marks in _twins_in(engine, store).items() if n <= epoch.number - _KEPT for mark in marks]
    if old:
        _delete_twins(engine, store, old[: store.delete_batch], caller=caller)


def _delete_twins(engine: Engine, store: Store, old: Sequence[tuple[int, UUID]], *, caller: Caller) -> None:
    """Delete these twins, and note what the store refuses; raises StoreError."""

    def note(refused: Reason | None) -> None:
        engine.catalog.run(caller, refusals.note_sweep, store.config.tier, "epoch", refused)

    try:
        results = store.delete([ObjectKey(f"{FOLDER}{number}-{mark}") for number, mark in old])
    except StoreError as error:
        if (reason := refusal(error)) is not None:
            note(reason)
        raise
    note(deletes.first_refusal(results))


def _ahead(epoch: Epoch, marks_of: dict[int, set[UUID]]) -> str | None:
    highest = max(marks_of, default=0)
    if highest > epoch.number:
        return f"the coldest tier knows epoch {highest}, and the catalog is at {epoch.number}"
    if highest == epoch.number and epoch.mark not in marks_of[highest]:
        return f"epoch {highest} was given out by another copy of this catalog"
    return None


def _unknown(epoch: Epoch, marks_of: dict[int, set[UUID]]) -> str | None:
    """Return why the absence of higher twins proves nothing, None where it does; the first raise may leave no twin."""
    if epoch.number <= _FIRST or any(number > epoch.number - _KEPT for number in marks_of):
        return None
    newest = f"knows none after epoch {max(marks_of)}" if marks_of else "knows none"
    return f"the catalog is at epoch {epoch.number}, and the coldest tier {newest}: it is not known to be the newest"


def _write_missing_twin(engine: Engine, *, caller: Caller) -> None:
    """Write the twin of the current epoch where the raise before left none in the coldest tier; raises StoreError."""
    with engine.catalog.reading() as connection:
        current = epochs.standing(connection).epoch
    store = own_objects.home(engine)
    if store is not None and current.mark is not None and current.number > max(_twins_in(engine, store), default=0):
        write_twin(engine, current, caller=caller)


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
