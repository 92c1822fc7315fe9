"""The invariants of the design, asked of the catalog by SQL and of the stores by reading them.

I1: every live artifact, and every deleted one within its undo window, reads back byte for byte. I2: protected content
has a copy. I3: what is present and vouched for exists with its checksum. I6: one event per (subject, revision), none
missing. I7: no content crosses a tenant. I8: the stores hold nothing that the catalog does not know.
"""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import artifacts, browse, placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.copies.check import check as check_copy
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.read import reader
from tierkeeper.engine.trust import own_objects
from tierkeeper.keeper import Keeper
from tierkeeper.values.artifacts import Filter

_REPEATED_EVENTS = sa.text(
    "SELECT subject, revision, count(*) AS lines FROM events GROUP BY subject, revision HAVING count(*) > 1"
)
_MISSING_EVENTS = sa.text(
    "SELECT a.id, a.revision, count(e.*) AS lines FROM artifacts a"
    " LEFT JOIN (SELECT subject, revision FROM events UNION SELECT subject, revision FROM history) e"
    " ON e.subject = a.id"
    " GROUP BY a.id, a.revision, a.stored_at HAVING max(e.revision) > a.revision"
    " OR (count(e.*) <> a.revision OR max(e.revision) <> a.revision)"
    " AND a.stored_at >= coalesce((SELECT max(until) FROM segments), '-infinity')"
)
_CROSSED = sa.text(
    "SELECT a.id, a.tenant, b.scope FROM artifacts a JOIN blobs b ON b.id = a.blob_id JOIN tenants t ON t.id = a.tenant"
    " WHERE b.scope <> t.scope OR b.sha256 <> a.sha256 OR b.size <> a.size"
)
_BARE_BLOBS = sa.text(
    "SELECT b.id FROM blobs b WHERE NOT EXISTS (SELECT FROM placements p WHERE p.blob_id = b.id)"
    " AND NOT EXISTS (SELECT FROM artifacts a WHERE a.blob_id = b.id)"
)
_PLACEMENTS = sa.text("SELECT id, tier, location, state FROM placements")
_DUE = sa.text(
    "SELECT count(*) FROM schedule WHERE parked_reason IS NULL AND braked_by IS NULL AND due_at <= clock_timestamp()"
)
_PARKED = sa.text("SELECT artifact_id, parked_reason FROM schedule WHERE parked_reason IS NOT NULL")


def check(keeper: Keeper, *, reads: int | None = None, overwritten: Collection[str] = ()) -> None:
    """Raise AssertionError with every invariant that does not hold now. The stores' damage must be known to hold it.

    ``reads`` as in :func:`check_settled`. ``overwritten``: locations of which somebody else changed the bytes after
    they were vouched for.
    """
    broken = list(_broken(keeper.engine, reads=reads, overwritten=overwritten))
    assert not broken, "\n".join(broken)


def check_settled(keeper: Keeper, *, reads: int | None = None) -> None:
    """Raise unless :func:`check` holds and nothing is left to do: everything due is done, everything ripe is gone.

    ``reads``: of so many artifacts only it is tried that a reader gets them; all copies' bytes are compared anyhow.
    """
    broken = [*_broken(keeper.engine, reads=reads), *_unsettled(keeper.engine)]
    assert not broken, "\n".join(broken)


def _broken(engine: Engine, *, reads: int | None = None, overwritten: Collection[str] = ()) -> Iterator[str]:
    rows, copies = _catalog(engine)
    readers = {row.id for row in rows[:reads]}
    with engine.catalog.reading() as connection:
        moment = Moment.read(connection, engine)
        for event in connection.execute(_REPEATED_EVENTS):
            yield f"I6: revision {event.revision} of {event.subject} has {event.lines} events"
        for gap in connection.execute(_MISSING_EVENTS):
            yield f"I6: artifact {gap.id} is at revision {gap.revision} and has {gap.lines} events"
        for crossed in connection.execute(_CROSSED):
            yield f"I7: artifact {crossed.id} of {crossed.tenant} has other content, or that of {crossed.scope}"
    for row in rows:
        of_row = copies.get(row.id, [])
        if row.counted:
            yield from _unreadable(engine, row) if row.id in readers else _bare(row, of_row)
        held = row.counted and moment.protects(row)  # a purge is for good
        if held and not any(p.readable for p in of_row):
            yield f"I2: {row.ref} is protected and no readable copy is kept"
        for copy in of_row:
            if copy.location not in overwritten and _should_be_right(copy):
                wrong = check_copy(engine, copy, row.content)
                if isinstance(wrong, Wrong):
                    yield f"I3: the present copy of {row.ref} in {copy.tier}: {wrong.reason}"
    yield from _unknown_bytes(engine)


def _should_be_right(copy: PlacementRow) -> bool:
    return copy.state is PlacementState.PRESENT and fates.good(copy)


def _unreadable(engine: Engine, row: ArtifactRow) -> Iterator[str]:
    try:
        with reader.opened(engine, row) as opened:
            size = sum(map(len, opened.chunks))
    except Exception as error:  # noqa: BLE001  whatever keeps it from being read breaks the invariant
        yield f"I1: {row.ref} ({row.state}) can't be read: {error}"
        return
    if size != row.size:
        yield f"I1: {row.ref} reads {size} bytes of {row.size}"


def _bare(row: ArtifactRow, copies: Sequence[PlacementRow]) -> Iterator[str]:
    if not any(copy.readable for copy in copies):
        yield f"I1: {row.ref} ({row.state}) has no copy that could be read"


def _unknown_bytes(engine: Engine) -> Iterator[str]:
    listed = {(tier.name, stored.location) for tier in engine.tiers for stored in engine.store(tier.name).list()}
    with engine.catalog.reading() as connection:  # after the listing: what is written meanwhile has its row first
        known = {(row.tier, row.location) for row in connection.execute(_PLACEMENTS)}
    for tier, location in sorted(listed - known):
        if own_objects.is_own(location):
            continue
        yield f"I8: tier {tier} holds {location}, which no placement knows"


def _unsettled(engine: Engine) -> Iterator[str]:
    with engine.catalog.reading() as connection:
        due = connection.execute(_DUE).scalar_one()
        if due:
            yield f"I4: {due} artifacts are still due"
        for parked in connection.execute(_PARKED):
            yield f"I4: artifact {parked.artifact_id} is parked: {parked.parked_reason}"
        for copy in connection.execute(_PLACEMENTS):
            if copy.state != PlacementState.PRESENT.value:
                yield f"I4: placement {copy.id} in {copy.tier} is still {copy.state}"
        for bare in connection.execute(_BARE_BLOBS):
            yield f"I8: blob {bare.id} has neither a placement nor an artifact"
    yield from _misplaced(engine)


def _misplaced(engine: Engine) -> Iterator[str]:
    rows, copies = _catalog(engine)
    wanted: dict[object, set[str]] = {}
    for row in rows:
        if row.counted:
            wanted.setdefault(row.blob_id, set()).update(row.wanted)
            good = {p.tier for p in copies[row.id] if fates.good(p)}
            if not row.wanted <= good:
                yield f"I4: {row.ref} is wanted in {sorted(row.wanted)} and is in {sorted(good)}"
    for row in rows:
        extra = {p.tier for p in copies.get(row.id, [])} - wanted.get(row.blob_id, set())
        if extra:
            yield f"I4: {row.ref} has copies in {sorted(extra)} that nobody wants"


def _catalog(engine: Engine) -> tuple[list[ArtifactRow], dict[object, list[PlacementRow]]]:
    """Return every artifact, and its content's copies by artifact."""
    with engine.catalog.reading() as connection:
        found = list(browse.select(connection, Filter(state=None, all_versions=True), limit=None))
        rows = artifacts.load(connection, [row.id for row in found])
        of = placements.of_blobs(connection, sorted({row.blob_id for row in rows if row.blob_id is not None}))
    assert all(row.state in ArtifactState for row in rows)
    return rows, {row.id: of[row.blob_id] for row in rows if row.blob_id is not None}
