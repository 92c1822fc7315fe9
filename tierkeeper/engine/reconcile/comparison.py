"""Compare one tier's listing with the catalog, then the catalog with that listing. Deletes nothing.

The order is that of R4. A location is listed first and looked up then: a copy in flight has its row before its first
byte (R1), so bytes without a row had none when they were listed; a HEAD then checks that they still exist. A copy that
was not listed is looked for by HEAD, and its row is read again. So artifacts that are stored, moved or collected
meanwhile cause no finding. No connection is held during a store's call. No conclusion is drawn before the tier's mark
has been read after the answers (R19).
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import TextIO
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.kinds import EventType
from tierkeeper.base.callers import Caller
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import events, inventory, quarantine
from tierkeeper.catalog.database import Clocks, clocks
from tierkeeper.catalog.inventory import Copy
from tierkeeper.catalog.quarantine import Orphan, Sighting
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import damage, siblings
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.copies.opener import key_of
from tierkeeper.engine.reconcile.id_set import IdSet
from tierkeeper.engine.trust import own_objects
from tierkeeper.policy.decision import when
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectKey, Stored
from tierkeeper.stores.errors import ObjectNotFound, StoreError
from tierkeeper.stores.refusals import refusal
from tierkeeper.values.findings import Finding, FindingAction, FindingKind, ReconcileLimits, TierFindings
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.refusals import Reason
from tierkeeper_client import texts

_CHUNK = 1000  # objects per look-up
_PAGE = 5000  # placements per page, of all tiers


class _Origin(Enum):
    """Where bytes without a row come from; the value is the finding's text where they are left alone."""

    ENDED = "they lay here until their placement ended, or came after"
    UNHEARD_OF = "tierkeeper wrote them, and not under this catalog"
    UNANSWERED = "the store does not say what they are"
    ASIDE = "it was left aside"
    SOMEBODYS_COPY = "somebody's copy of what tierkeeper keeps, or kept, elsewhere: it is left alone"
    ELSEWHERE = "nothing says that tierkeeper wrote it here: it is left alone"


@dataclass(frozen=True, slots=True)
class Bad:
    """A copy to be reported and what is wrong with it; None: it was reported before, and its bytes may be back."""

    placement: UUID
    wrong: Wrong | None


class Comparison:
    """One comparison of one tier; its bad copies are kept on disk until :meth:`close`."""

    def __init__(
        self,
        engine: Engine,
        tier: str,
        *,
        caller: Caller,
        limits: ReconcileLimits,
        record: bool,
        found: Callable[[Finding], None],
        progress: ProgressCallback,
    ) -> None:
        self._engine, self.tier, self._caller, self._limits = engine, tier, caller, limits
        self._record, self._tell, self._progress = record, found, progress
        self._store = engine.store(tier)
        self._bad: TextIO = tempfile.TemporaryFile("w+", prefix="tierkeeper-")  # noqa: SIM115  see close
        self._found: Counter[FindingKind] = Counter()
        self._listed = self._known = self._known_damaged = self._lost = self._unanswered = 0
        self._away: str | None = None
        self._refused: Reason | None = None
        with engine.catalog.reading() as connection:
            self._began = clocks(connection)

    @property
    def began(self) -> datetime:
        """When the comparison began, by the catalog's clock."""
        return self._began.catalog

    @property
    def ripe(self) -> datetime:
        """The latest first sighting of an orphan whose quarantine is over by both clocks, the catalog's and ours."""
        return self._ripe_by(self._began)

    def is_ripe(self, orphan: Orphan, now: Clocks) -> bool:
        """Return True if the orphan's quarantine is over, by the clocks of ``now`` too, and this comparison saw it."""
        until = min(self.ripe, self._ripe_by(now))
        return orphan.first_seen <= until and orphan.seen_again is not None and orphan.seen_again >= self.began

    def _ripe_by(self, now: Clocks) -> datetime:
        return now.earlier - self._limits.quarantine

    def close(self) -> None:
        """Remove the file of the bad copies."""
        self._bad.close()

    def take(self) -> TierFindings:
        """Compare the tier. Where its store does not answer, ``away`` has the reason, and the rest shows nothing."""
        try:
            self._confirm()
            with IdSet() as seen:
                self._list(seen)
                self._miss(seen)
            self._confirm()
        except StoreError as error:
            self._away = str(error)
            self._refuse(error)
        return TierFindings(
            tier=self.tier,
            listed=self._listed,
            known=self._known,
            found=dict(self._found),
            known_damaged=self._known_damaged,
            lost=self._lost,
            unanswered=self._unanswered,
            away=self._away,
            refused=self._refused,
        )

    def bad(self) -> Iterator[Bad]:
        """Yield the copies to be reported, and those whose bytes may be good again."""
        self._bad.seek(0)
        for line in self._bad:
            placement, wrong = json.loads(line)
            yield Bad(UUID(placement), None if wrong is None else Wrong(*wrong))

    # -- the listing against the catalog

    def _list(self, seen: IdSet) -> None:
        listing = self._store.list()
        while chunk := list(islice(listing, _CHUNK)):
            objects = [each for each in chunk if not own_objects.is_own(each.location)]
            self._listed += len(objects)
            objects = [each for each in objects if self._is_text(each)]
            with self._engine.catalog.reading() as connection:
                copies = inventory.at(connection, self.tier, {each.location for each in objects})
            strangers: list[Stored] = []
            doubtful: dict[UUID, Copy] = {}
            for each in objects:
                copy = copies.get(each.location)
                if copy is None or _other_version(copy, each):
                    strangers.append(each)
                elif copy.expects_bytes:
                    seen.add([copy.id])
                    if copy.damaged or copy.missed_at or _difference(copy, each):
                        doubtful[copy.id] = copy
            self._note_strangers(strangers, copies)
            self._doubt(list(doubtful.values()))
            self._progress(len(chunk))

    def _is_text(self, each: Stored) -> bool:
        """Return True if the catalog can hold this location; one that it cannot hold is a finding, and left alone."""
        shown = texts.storable(each.location)
        if shown != each.location:
            self._leave(replace(each, location=shown), FindingKind.FOREIGN, _Origin.ELSEWHERE.value)
        return shown == each.location

    def _note_strangers(self, strangers: Sequence[Stored], copies: dict[str, Copy]) -> None:
        """Record bytes without a row, after a HEAD: collect may have deleted them between listing and look-up."""
        existing = [
            each
            for each, answer in zip(strangers, self._heads([_key(each) for each in strangers]), strict=True)
            if not isinstance(answer, ObjectNotFound)
        ]
        beside = [each for each in existing if each.location in copies]
        alone = [each for each in existing if each.location not in copies]
        orphans: dict[tuple[str, str | None], Sighting] = {
            (each.location, each.version): _sighting(each) for each in beside if each.version is not None
        }
        for each in beside:
            if each.version is None:  # a key without a version names all of them, the placement's own too
                self._leave(each, FindingKind.FOREIGN, "it cannot be told from the placement's own")
        for each, origin in zip(alone, self._origins(alone), strict=True):
            match origin:
                case _Origin.ENDED:
                    orphans[each.location, each.version] = _sighting(each)
                case _Origin.UNHEARD_OF:
                    self._leave(each, FindingKind.STRANGER, "this catalog never knew of it; see `tierkeeper doctor`")
                case _Origin.UNANSWERED:
                    self._unanswered += 1
                case reason:
                    self._leave(each, FindingKind.FOREIGN, reason.value)
        if not orphans:
            return
        self._confirm()
        since = self._sighted(list(orphans.values()))
        for key, orphan in orphans.items():
            first = since.get(key)
            before = " beside the placement's" if orphan.location in copies else ""
            what = f"no placement knows these bytes{before}" if orphan.version is None else f"a version{before} unknown"
            if first is not None and first <= self.ripe:
                action, told = FindingAction.DELETE, f"{what}; first seen {when(first)}"
            else:
                action, told = FindingAction.QUARANTINE, f"{what}; first seen {when(first) if first else 'now'}"
            self._add(self._finding(orphan, FindingKind.ORPHAN, action, told))

    def _origins(self, alone: Sequence[Stored]) -> "list[_Origin]":
        """Return where these bytes without a row come from.

        A row is committed before its bytes (R1), and is deleted with an event that records their location. An object
        with neither that is what tierkeeper writes, where it writes it, was written under another catalog: a later
        state of this one.
        """
        ids = [layout.placement_of(each.location) for each in alone]
        known = {id_ for id_ in ids if id_ is not None}
        with self._engine.catalog.reading() as connection:
            ends = events.ends_of(connection, known)
            rows = inventory.these(connection, known)
        found = []
        for each, id_ in zip(alone, ids, strict=True):
            end = None if id_ is None else ends.get(id_)
            if end is not None and (end.tier, end.location) == (self.tier, each.location):
                found.append(_Origin.ASIDE if end.type is EventType.LEFT_ASIDE else _Origin.ENDED)
            elif end is not None or id_ in rows:
                found.append(_Origin.SOMEBODYS_COPY)
            else:
                found.append(_Origin.ELSEWHERE if id_ is None else _Origin.UNHEARD_OF)
        unheard = [at for at, origin in enumerate(found) if origin is _Origin.UNHEARD_OF]
        said = self._engine.in_parallel(self._described, [alone[at] for at in unheard])
        for at, origin in zip(unheard, said, strict=True):
            found[at] = origin
        return found

    def _described(self, each: Stored) -> "_Origin":
        """Return whether the object's own description says that tierkeeper wrote it at this location."""
        try:
            info = self._store.describe(_key(each))
        except ObjectNotFound:
            return _Origin.ELSEWHERE
        except StoreError as error:
            self._refuse(error)
            return _Origin.UNANSWERED
        fits = info is not None and layout.fits(self._store, info, each.location)
        return _Origin.UNHEARD_OF if fits else _Origin.ELSEWHERE

    def _leave(self, each: Stored, kind: FindingKind, reason: str) -> None:
        self._add(self._finding(each, kind, FindingAction.NONE, reason))

    def _sighted(self, orphans: Sequence[Sighting]) -> dict[tuple[str, str | None], datetime]:
        if not self._record:
            with self._engine.catalog.reading() as connection:
                return quarantine.known(connection, self.tier, orphans)
        return self._engine.catalog.run(self._caller, _note_sighted, self.tier, orphans)

    # -- the catalog against the listing

    def _miss(self, seen: IdSet) -> None:
        """Check every copy that was intended before the listing began and was not listed."""
        ordered = seen.ordered()
        current = next(ordered, None)
        for copies in self._pages():
            unseen = []
            for copy in copies:
                while current is not None and current < copy.id:
                    current = next(ordered, None)
                if current != copy.id:
                    unseen.append(copy)
            self._doubt(unseen)
            self._progress(0)

    def _pages(self) -> Iterator[list[Copy]]:
        after: UUID | None = UUID(int=0)
        while after is not None:
            with self._engine.catalog.reading() as connection:
                page, after = inventory.page(connection, self.tier, before=self.began, after=after, rows=_PAGE)
            self._known += len(page)
            yield page

    def _doubt(self, copies: Sequence[Copy]) -> None:
        """HEAD these copies, then read their rows again: a copy that is still wrong by its row is a finding."""
        if not copies:
            return
        at = time.monotonic()
        answers = self._heads([key_of(copy.form) for copy in copies])
        with self._engine.catalog.reading() as connection:
            rows = inventory.these(connection, [copy.id for copy in copies])
        bad: list[tuple[Copy, FindingKind, str]] = []
        for copy, answer in zip(copies, answers, strict=True):
            row = rows.get(copy.id)
            if row is None or not row.expects_bytes:
                continue
            if isinstance(answer, ObjectNotFound):
                bad.append((row, FindingKind.MISSING, "nothing is at its location"))
            elif isinstance(answer, StoreError):
                self._unanswered += 1
                self._refuse(answer)
            elif difference := _difference(row, answer):
                bad.append((row, FindingKind.MISMATCHED, difference))
            elif row.damaged or row.missed_at is not None:
                bad.append((row, FindingKind.MISMATCHED if row.damaged else FindingKind.MISSING, ""))
        if bad:
            self._confirm()
        self._note_bad(bad, at)

    def _note_bad(self, bad: Sequence[tuple[Copy, FindingKind, str]], at: float) -> None:
        others = siblings.of_copies(self._engine.catalog, [copy for copy, _, _ in bad])
        with self._engine.catalog.reading() as connection:
            now = clocks(connection)
        for copy, kind, reason in bad:
            if not copy.damaged and not reason:
                self._keep(copy, None)
                self._tell(self._copy_finding(copy, kind, FindingAction.FOUND, "it was not found before; it is there"))
                continue
            wrong = Wrong(reason, kind is FindingKind.MISSING, at)
            finding = self._judged(copy, kind, wrong, others[copy.id], now=now)
            self._lost += finding.lost
            if not copy.damaged:
                self._keep(copy, wrong)
                self._add(finding)
                continue
            self._known_damaged += 1
            if finding.action is FindingAction.HEAL:
                self._keep(copy, None)
            if finding.lost or finding.action is FindingAction.HEAL:
                self._tell(finding)

    def _judged(
        self, copy: Copy, kind: FindingKind, wrong: Wrong, others: siblings.Siblings, *, now: Clocks
    ) -> Finding:
        """Return the finding about a bad copy. Content is not called lost while any copy has the right bytes."""
        owner, reason, again = others.owner, wrong.reason, None
        if not copy.damaged:  # by the rule that applies when it is reported
            again = damage.second_look_after(self._engine, self.tier, wrong, missed=copy.missed_at, now=now)
        ref = None if owner is None else owner.ref
        mine = (
            siblings.reads_right(self._engine, others.mine, owner.content)
            if copy.damaged and not reason and owner
            else False
        )
        heals = mine is True
        right = mine or owner is None or siblings.any_right(self._engine, others, owner.content)
        lost = right is False and mine is False and again is None
        if not lost and not right:
            self._unanswered += 1
        if heals:
            action, told = FindingAction.HEAL, "it was reported as damaged; its bytes are right"
        elif again is not None:
            action, told = FindingAction.QUARANTINE, f"{reason}; it is looked for again after {when(again)}"
            told += "" if right else "; no other copy can be read"
        else:
            repaired = right is True and ref is not None and copy.state is PlacementState.PRESENT and not copy.damaged
            action = FindingAction.REPAIR if repaired else FindingAction.NONE
            told = reason or "it was reported as damaged"
            told += (
                "; no other copy can be read" if lost else f"; {copy.state.value}, wanted by nobody" if not ref else ""
            )
        return replace(self._copy_finding(copy, kind, action, told), ref=ref, lost=lost)

    # -- helpers

    def _refuse(self, error: StoreError) -> None:
        """Keep why the store does not let itself be compared; a transient error may pass, and says so by itself."""
        self._refused = refusal(error) or self._refused

    def _confirm(self) -> None:
        """Raise TierNotOurs unless the store's answers so far are about the tier's own place (R19)."""
        self._engine.marks.confirm(self._store)

    def _heads(self, keys: Sequence[ObjectKey]) -> list[Stored | StoreError]:
        def head(key: ObjectKey) -> Stored | StoreError:
            try:
                return self._store.head(key)
            except StoreError as error:
                return error

        return self._engine.in_parallel(head, keys) if keys else []

    def _keep(self, copy: Copy, wrong: Wrong | None) -> None:
        self._bad.write(json.dumps([str(copy.id), None if wrong is None else astuple(wrong)]) + "\n")

    def _finding(self, each: Stored | Sighting, kind: FindingKind, action: FindingAction, reason: str) -> Finding:
        return Finding(self.tier, each.location, each.version, kind, action, reason, size=each.size)

    def _copy_finding(self, copy: Copy, kind: FindingKind, action: FindingAction, reason: str) -> Finding:
        return Finding(self.tier, copy.location, copy.version, kind, action, reason, size=copy.size)

    def _add(self, finding: Finding) -> None:
        self._found[finding.kind] += 1
        self._tell(finding)


def _note_sighted(
    connection: sa.Connection, tier: str, orphans: Sequence[Sighting]
) -> dict[tuple[str, str | None], datetime]:
    return quarantine.sighted(connection, tier, orphans, now=clocks(connection))


def _key(each: Stored) -> ObjectKey:
    return ObjectKey(each.location, each.version)


def _other_version(copy: Copy, each: Stored) -> bool:
    """Return True if this is another version than the placement's: of a write repeated after its answer was lost."""
    return copy.expects_bytes and copy.version is not None and copy.version != each.version


def _sighting(each: Stored) -> Sighting:
    return Sighting(each.location, each.version, each.size)


def _difference(copy: Copy, stored: Stored) -> str:
    return copy.form.difference(size=stored.size, sha256=stored.sha256)
