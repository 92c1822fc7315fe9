"""Read copies again and compare their hashes; bad copies are reported, and converge copies their content again."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import RunKind
from tierkeeper.base.stopping import over
from tierkeeper.catalog import browse, copy_counts, placements, refusals, runs, verification
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, lost, suspects, unvouched
from tierkeeper.engine.copies.opener import Read
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import ThawNeeded, TierNotOurs
from tierkeeper.stores.gate import fault
from tierkeeper.stores.refusals import refusal
from tierkeeper.values.artifacts import Filter, ItemError
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.refusals import Reason
from tierkeeper.values.runs import SweepResult

_BATCH = 200


def verify(
    engine: Engine,
    *,
    filter_: Filter | None,
    share: float | None,
    caller: Caller,
    deadline: float | None = None,
    progress: ProgressCallback | None = None,
) -> SweepResult:
    """Verify the present copies of the artifacts that match, or a ``share`` (0 to 1) of all present copies.

    Without a filter all versions match, including deleted ones that may be undeleted; purged artifacts never match. Of
    an artifact without a good copy every kept copy is read, and one with right bytes heals; an artifact without any
    copy is reported as lost.

    A share is first spent on copies that are not vouched for; half of the rest goes to copies that were never read,
    half to those read longest ago. Before it, and at no cost to it, suspects whose quarantine is over are looked for
    again (R20).
    """
    part = runs.PartArguments() if share is None and filter_ is not None else None
    with run_life.running(engine, RunKind.VERIFY, caller=caller, arguments=part) as work:
        for missed in suspects.ripe(engine) if share is not None else ():
            if over(deadline):
                return work.result(more=True)
            work.add(suspects.look_again(engine, missed, caller=caller))
        batches = (
            _share(engine, share, work.counts)
            if share is not None
            else _matching(engine, filter_ or Filter(state=None, all_versions=True))
        )
        refused: dict[str, Reason | None] = {}  # by tier that was asked, and answered for good
        more = False
        for batch in batches:
            if more := over(deadline):
                break
            counts, read, bad = _verify_batch(engine, batch, refused, caller=caller, progressed=work.progressed)
            work.add(counts, size=read, errors=len(bad), failures=bad)
            if progress is not None:
                progress(len(batch))
        if share is not None:
            for tier, reason in refused.items():
                engine.catalog.run(caller, refusals.note_sweep, tier, RunKind.VERIFY.value, reason)
        return work.result(more=more)


#: an artifact and one of its copies to read; None: it has no copy
CopyToRead = tuple[ArtifactRow, PlacementRow | None]


def _verify_batch(
    engine: Engine,
    batch: list[CopyToRead],
    refused: dict[str, Reason | None],
    *,
    caller: Caller,
    progressed: Callable[[], None],
) -> tuple[Counter[str], int, list[ItemError]]:
    def confirm(pair: tuple[ArtifactRow, PlacementRow]) -> check.Wrong | Read | TierkeeperError:
        try:
            # right bytes that came back after damage have a pin that the catalog does not know
            pinned = pair[1].damaged_at is None
            return check.confirmed(engine, pair[1], pair[0].content, pinned=pinned, progressed=progressed)
        except TierkeeperError as error:
            return error
        except Exception as error:  # noqa: BLE001  one bad item never stops its batch
            return fault(pair[1].tier, error)

    counts: Counter[str] = Counter()
    bad: list[ItemError] = []
    pins: dict[UUID, str | None] = {}
    good = []
    size = 0
    for row in [row for row, copy in batch if copy is None]:
        counts["left out" if lost.unasked(engine, row) else "lost"] += 1
        bad.append(ItemError(row.ref, lost.unreadable(engine, row, ()).as_dict()))
    pairs = [(row, copy) for row, copy in batch if copy is not None]
    tiers = {copy.tier for _, copy in pairs}
    away = engine.refused(tiers, before=True)
    asked = [(row, copy) for row, copy in pairs if copy.tier not in away]
    answers = dict(zip((copy.id for _, copy in asked), engine.in_parallel(confirm, asked), strict=True))
    away |= engine.refused(tiers - away.keys())
    _note_refusals(refused, ((copy.tier, away.get(copy.tier) or answers[copy.id]) for _, copy in pairs))
    for row, copy in pairs:
        found = away.get(copy.tier) or answers[copy.id]
        if isinstance(found, Read):
            pins[copy.id] = found.pin
            if copy.damaged_at is None:
                counts["verified"] += 1
                counts[suspects.FOUND_AGAIN] += damage.found_again(engine, copy, caller=caller, confirmed=True)
                good.append(copy)
            else:
                counts["healed" if damage.heal(engine, copy, caller=caller, pin=found.pin) else "passed over"] += 1
            size += row.size
            continue
        if isinstance(found, TierkeeperError):
            counts["left out" if isinstance(found, TierNotOurs) else "unreadable"] += 1
            bad.append(ItemError(row.ref, found.as_dict()))
            continue
        reported = damage.report(engine, copy, found, caller=caller, confirmed=True)
        if copy.damaged_at is None and reported is None:  # it is being deleted, or another process reported it
            counts["passed over"] += 1
            continue
        counts["still damaged" if reported is None else reported.value] += 1
        kind = "ObjectNotFound" if reported is damage.Reported.SUSPECT else "ContentCorrupt"
        bad.append(ItemError(row.ref, {"error": kind, "message": f"{copy.tier}: {found.reason}"}))
    unvouched.vouch(engine.catalog, good, pins, caller=caller)
    return +counts, size, bad


def _note_refusals(
    refused: dict[str, Reason | None], answers: Iterable[tuple[str, check.Wrong | Read | TierkeeperError]]
) -> None:
    for tier, found in answers:
        if isinstance(found, ThawNeeded):  # it is read once thawed, and says nothing of a read before
            continue
        if not isinstance(found, TierkeeperError):
            refused.setdefault(tier, None)
        elif (reason := refusal(found)) is not None:
            refused[tier] = reason


def _matching(engine: Engine, filter_: Filter) -> Iterator[list[CopyToRead]]:
    """Yield the copies of what matches, page by page; no connection is held while they are read."""
    after: ArtifactRow | None = None
    while True:
        with engine.catalog.reading() as connection:
            rows = browse.page(connection, filter_, after=after, limit=_BATCH)
            counted = [(row, row.blob_id) for row in rows if row.blob_id is not None and row.counted]
            copies = placements.of_blobs(connection, {blob for _, blob in counted})
        pairs = [(row, copy) for row, blob in counted for copy in _asked(engine.stores, copies[blob])]
        yield [(row, copy) for row, copy in pairs if copy is None or filter_.tier in {None, copy.tier}]
        if len(rows) < _BATCH:
            return
        after = rows[-1]


def _share(engine: Engine, share: float, total: Counter[str]) -> Iterator[list[CopyToRead]]:
    """Yield ``share`` of all present copies; never-read copies get half, else they would displace those read long ago.

    Copies that are not vouched for and cannot be read do not count towards the share; at most half as many of them are
    tried.
    """
    with engine.catalog.reading() as connection:
        present = copy_counts.about_present(connection)
        left = max(1, round(present * share)) if present else 0
        before = catalog_now(connection)
    spare = math.ceil(left / 2)
    unvouched, unread, oldest = (_Queue(engine, order, before) for order in verification.Order)
    to_come = _Queue(engine, verification.Order.OLDEST, placements.END, start=_to_come)
    for queue, most in ((unvouched, 1.0), (unread, 0.5), (to_come, 1.0), (oldest, 1.0), (unread, 1.0)):
        end = left - math.ceil(left * most)
        while left > end:
            unread_before = total["unreadable"] + total["left out"]
            limit = min(_BATCH, left - end, spare - unread_before) if queue is unvouched else min(_BATCH, left - end)
            if limit <= 0 or (batch := queue.next(limit)) is None:
                break
            yield batch
            left -= len(batch)
            if queue is unvouched:
                left += total["unreadable"] + total["left out"] - unread_before


class _Queue:
    """The present copies in one order, in batches."""

    def __init__(
        self,
        engine: Engine,
        order: verification.Order,
        before: datetime,
        *,
        start: Callable[[sa.Connection], placements.Cursor] = lambda _: placements.BEGINNING,
    ) -> None:
        self._engine, self._order, self._before, self._start = engine, order, before, start
        self._after: placements.Cursor | None = None
        self._ended = False

    def next(self, limit: int) -> list[CopyToRead] | None:
        """Return the next batch, None at the end."""
        if self._ended:
            return None
        with self._engine.catalog.reading() as connection:
            batch, self._after = verification.to_verify(
                connection, self._order, before=self._before, after=self._after or self._start(connection), limit=limit
            )
        self._ended = self._after is None
        return [(row, copy) for row, copy in batch if _wanted_now(self._engine.stores, copy)]


def _to_come(connection: sa.Connection) -> placements.Cursor:
    """Return the cursor before the copies whose last read lies in the future, noted by a clock that was ahead."""
    return placements.past(catalog_now(connection))


def _asked(stores: Mapping[str, Store], copies: Sequence[PlacementRow]) -> list[PlacementRow | None]:
    """Return which of an artifact's copies are read: the present ones, or all kept ones where none is good."""
    kept = [copy for copy in copies if copy.kept and copy.tier in stores]
    present = [copy for copy in kept if _wanted_now(stores, copy)]
    good = any(not copy.suspect for copy in present)  # a suspect does not hide other copies that may be right (R20)
    return list(present if good else kept) or [None]


def _wanted_now(stores: Mapping[str, Store], copy: PlacementRow) -> bool:
    return copy.state.value == "present" and copy.damaged_at is None and copy.tier in stores
