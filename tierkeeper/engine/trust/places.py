"""Create the places of tiers and mark them; only ``init`` and the start of an embedded catalog do so.

A place without a mark gets one only where the catalog has recorded no mark for the tier, and the tier has no copies, or
some of its copies are found there, with their sizes (R22). A place is refused where the tier's mark was made elsewhere,
or where it has a mark that is not the tier's. An operator may decide otherwise (:func:`take_over`); that is an event.

The mark is written first, if there is none, and read back; then the catalog records when it was made, unless it has
recorded one. Two hosts with folders of their own under one name both write; the second to record is refused. A crash
between the two leaves a mark that the catalog has not recorded; the next ``init`` records it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import AdoptedTier, TierAdopted, TierMarking
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogNotReady
from tierkeeper.base.quantities import format_count
from tierkeeper.catalog import epochs, events, identity, placements, revisions
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.identity import Identity, Known
from tierkeeper.engine import mark_check
from tierkeeper.engine.context import Engine
from tierkeeper.engine.mark_check import difference
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import advice, factory
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import MarkUnreadable, ObjectNotFound, StoreError, TierNotOurs
from tierkeeper.stores.tier_mark import TierMark

_LOOKED_AT = 100  # copies of a tier that are looked for; one that exists is enough
#: options of ``postgres:`` that cannot lead to another server
_OF_THE_STORE = {"schema", "limit", "pool", "timeout", "statement_timeout"}
_TAKEN = "which can no longer use the place once it is adopted here"
_OR_ELSE = "{cure}; else `tierkeeper init --adopt {tier} --reason …`"


@dataclass(slots=True)
class PlacesMade:
    """What was made, in words, and an error for each tier that was refused."""

    made: list[str] = field(default_factory=list)
    refused: list[StoreError] = field(default_factory=list)

    def check(self) -> None:
        """Raise the error of the refused tier, or one TierNotOurs for several."""
        if len(self.refused) == 1:
            raise self.refused[0]
        if self.refused:
            tiers = ", ".join(str(error.data["tier"]) for error in self.refused)
            reasons: Iterator[object] = (e.data["reason"] if type(e) is TierNotOurs else e for e in self.refused)
            raise TierNotOurs(tier=tiers, reason="; ".join(map(str, reasons)))


@dataclass(frozen=True, slots=True)
class Heritage:
    """What an empty catalog finds in its tiers: their marks, and the catalog and line that made them.

    ``own``: the ids that the empty catalog had before the rebuild, from ``init``.
    """

    marks: dict[str, TierMark]
    catalog: UUID | None
    line: UUID | None
    own: frozenset[UUID]


def mark_all(engine: Engine, *, make: bool, caller: Caller) -> PlacesMade:
    """Mark every tier that may be marked; ``make``: create its place where it is missing."""
    done = PlacesMade()
    for tier in engine.tiers:
        try:
            created = _mark(engine, tier.name, make=make, caller=caller)
            done.made += [f"tier {tier.name}: {what}" for what in created]
        except StoreError as error:
            done.refused.append(error)
    return done


def mark_own(engine: Engine, *, caller: Caller) -> PlacesMade:
    """Create and mark the own tiers of an embedded catalog without copies; with copies, only mark its tiers."""
    with engine.catalog.reading() as connection:
        used = any(identity.copies(connection, tier.name) for tier in engine.tiers)
    own = {tier.name for tier in engine.tiers if _is_own(engine.settings, tier.name)}
    if used:
        return mark_all(engine, make=False, caller=caller)
    return mark_all(replace(engine, tiers=[t for t in engine.tiers if t.name in own]), make=True, caller=caller)


def take_over(engine: Engine, tier: str, *, caller: Caller, reason: str, lost: bool) -> None:
    """Write this tier's mark to its place, whatever mark is there; raises TierNotOurs where no known copy is found.

    ``lost``: adopt it although no copy is found; the tier's copies are then found missing, and copied again from other
    tiers. The place of another tier of this catalog is never taken.
    """
    store = engine.store(tier)
    before: TierMark | None = None
    whose: str | None = None
    write: Callable[[TierMark], TierMark] = store.write_mark
    try:
        if (before := _mark_in(store)) is not None:
            write = partial(store.replace_mark, over=before)
            if before.catalog != _identity(engine.catalog).catalog:
                whose = f"{store.site} belongs to another catalog ({before.catalog}), {_TAKEN}"
    except MarkUnreadable:
        write = partial(store.replace_mark, over=None)
        whose = f"the mark in {store.site} is unreadable: if it belongs to another catalog, {_TAKEN}"
    if before is not None:
        _require_free(engine, store, before)
    if not lost:
        _require_copy(engine, tier, whose=whose)
    mark, known = _fresh(engine.catalog, tier)
    store.prepare()
    if write(mark) != mark:
        raise TierNotOurs(tier=tier, reason="somebody else marked it at the same time: look at it again")
    engine.catalog.run(
        caller, _record_taken_over, tier, known, before=before, mark=mark, reason=reason, lost=lost, caller=caller
    )
    engine.marks.refresh()


def _record_taken_over(
    connection: sa.Connection,
    tier: str,
    known: Identity,
    *,
    before: TierMark | None,
    mark: TierMark,
    reason: str,
    lost: bool,
    caller: Caller,
) -> None:
    """Record the tier's new mark, forget the misses noted at its former place, and write the event."""
    current = identity.read(connection, lock=True) or known
    now = catalog_now(connection)
    after = replace(current, tiers={**current.tiers, tier: mark.made})
    identity.write(connection, after, by=caller.actor, reason=f"tier {tier} was adopted: {reason}", now=now)
    placements.forget_misses(connection, tier)  # a miss counts only if both looks were at one place
    payload = TierAdopted(
        before=TierMarking(tier=tier, mark=None if before is None else before.as_json()),
        after=AdoptedTier(tier=tier, mark=mark.as_json(), reason=reason, lost=lost),
    )
    events.append_next(connection, epochs.CATALOG, payload, by=caller.actor, at=now)


def of_this_catalog(engine: Engine) -> dict[str, TierMark]:
    """Return the marks in the tiers that are this catalog's, of any line and time, by tier."""
    known = _identity(engine.catalog)
    return {t: mark for t, mark in found_marks(engine).items() if (mark.catalog, mark.tier) == (known.catalog, t)}


def inherit(engine: Engine, *, unfinished: bool) -> Heritage:
    """Return what a rebuild finds in the tiers; TierNotOurs where their marks name more than one other catalog.

    ``unfinished``: an interrupted rebuild has given the catalog its identity already.
    """
    known = _identity(engine.catalog)
    in_tiers = {tier: mark for tier, mark in found_marks(engine).items() if mark.tier == tier}
    if unfinished:
        own = frozenset() if known.was is None else frozenset({known.was})
        ours = {tier: mark for tier, mark in in_tiers.items() if mark.catalog in {known.catalog, *own}}
        return Heritage(ours, known.catalog, known.line, own)
    others = {tier: mark for tier, mark in in_tiers.items() if mark.catalog != known.catalog}
    if len({mark.catalog for mark in others.values()}) > 1:
        listed = ", ".join(f"{tier} of {mark.catalog}" for tier, mark in others.items())
        raise TierNotOurs(tier=", ".join(others), reason=f"the marks name different catalogs: {listed}")
    newest = max(others.values(), key=lambda mark: mark.made, default=None)
    catalog, line = (None, None) if newest is None else (newest.catalog, newest.line)
    return Heritage(in_tiers, catalog, line, frozenset({known.catalog}))


def found_marks(engine: Engine, *, only: str | None = None) -> dict[str, TierMark]:
    """Return the marks in the tiers, by tier; a tier whose place is missing has none. ``only``: of one tier.

    Raises MarkNotRead, MarkUnreadable and other StoreErrors where a mark is not known: nothing is decided without it.
    """
    in_tiers = {}
    for tier in engine.tiers:
        if only in {None, tier.name} and (mark := _mark_in(engine.store(tier.name))) is not None:
            in_tiers[tier.name] = mark
    return in_tiers


def _mark_in(store: Store) -> TierMark | None:
    """Return the mark in a place, None where it has none or is missing; raises StoreError where that is not known."""
    try:
        return mark_check.read(store)
    except MarkUnreadable:
        raise
    except TierNotOurs:  # the place is missing, or a write to it will raise what is wrong
        return None


def renew(engine: Engine, *, replacing: Collection[UUID] = ()) -> None:
    """Replace the catalog's older marks, of another line or time, by the current ones, in tiers it has marked before.

    ``replacing``: replace the marks of these catalogs too. A crash midway leaves tiers that cannot be used until a
    repeated call has renewed the rest.
    """
    known = _identity(engine.catalog)
    for tier, mark in found_marks(engine).items():
        marked_at = known.tiers.get(tier)
        if marked_at is None or mark.tier != tier or mark.catalog not in {known.catalog, *replacing}:
            continue
        wanted = TierMark(known.catalog, known.line, tier, marked_at)
        if mark != wanted:
            engine.store(tier).replace_mark(wanted, over=mark)
    engine.marks.refresh()


def _mark(engine: Engine, tier: str, *, make: bool, caller: Caller) -> list[str]:
    """Create and mark one tier's place; return what was made, raise TierNotOurs where that is refused."""
    store = engine.store(tier)
    known = _identity(engine.catalog)
    existing = _mark_in(store)
    if existing is not None:
        return _keep(engine, store, known, existing, caller=caller)
    with engine.catalog.reading() as connection:
        copies = identity.copies(connection, tier)
    if tier in known.tiers:  # the place of the tier is elsewhere, even if copies of its objects are here
        way_out = _OR_ELSE.format(tier=tier, cure=advice.of(store.config.url))
        reason = f"it has no mark in {store.site}, and was marked in another place: {way_out}"
        raise TierNotOurs(tier=tier, reason=reason)
    if copies:
        _require_copy(engine, tier)
    elif not make:
        with _bare(engine, tier) as bare:
            bare.check()  # the place must have been prepared: else it may be a mount point with nothing mounted
    created = store.prepare()
    mark, known = _fresh(engine.catalog, tier)
    return created + _keep(engine, store, known, store.write_mark(mark), caller=caller)


def _keep(engine: Engine, store: Store, known: Identity, mark: TierMark, *, caller: Caller) -> list[str]:
    """Record the mark that is in a place, where the catalog has none for the tier; TierNotOurs for another mark."""
    tier = store.config.tier
    recorded = replace(known, tiers={**known.tiers, tier: mark.made})
    reason = difference(recorded, store, mark)
    if reason is not None:
        _require_free(engine, store, mark)
        what_next = (
            f"an empty catalog becomes the one that its tiers belong to by `tierkeeper catalog rebuild`; to take the "
            f"place over, so that the other catalog loses it: `tierkeeper init --adopt {tier} --reason …`"
        )
        raise TierNotOurs(tier=tier, reason=f"{reason}; {what_next}")
    created = store.prepare()
    if known.tiers.get(tier) == mark.made:
        return created
    engine.catalog.run(caller, _record_mark, store, known, mark, caller=caller)
    engine.marks.refresh()
    return [*created, f"mark in {store.site}"]


def _record_mark(connection: sa.Connection, store: Store, known: Identity, mark: TierMark, *, caller: Caller) -> None:
    tier = store.config.tier
    current = identity.read(connection, lock=True) or known
    if current.tiers.get(tier) not in {None, mark.made}:
        elsewhere = difference(current, store, mark) or ""
        raise TierNotOurs(tier=tier, reason=f"{elsewhere}: another place has the mark of this tier")
    after = replace(current, tiers={**current.tiers, tier: mark.made})
    identity.write(connection, after, by=caller.actor, reason=f"tier {tier} was marked", now=catalog_now(connection))


def _require_free(engine: Engine, store: Store, mark: TierMark) -> None:
    """Raise TierNotOurs where this is the recorded mark of another tier that is in use or has copies."""
    other, known = mark.tier, _identity(engine.catalog)
    if other == store.config.tier or (mark.catalog, mark.made) != (known.catalog, known.tiers.get(other)):
        return
    with engine.catalog.reading() as connection:
        copies = identity.copies(connection, other)
    if copies or other in engine.stores:
        reason = (
            f"{store.site} is tier {other} of this catalog, with {format_count(copies, 'copy')}: give tier"
            f" {store.config.tier} a place of its own; if tier {other} has moved, adopt its new place first: "
            f"`tierkeeper init --adopt {other} --reason …`"
        )
        raise TierNotOurs(tier=store.config.tier, reason=reason)


def _require_copy(engine: Engine, tier: str, *, whose: str | None = None) -> None:
    """Raise TierNotOurs unless one of the copies that a tier should have is at its location, with its size.

    A tier that was never marked and has no copies passes; not where ``whose``, the text about a mark in the place that
    is not this catalog's or is unreadable, is given.
    """
    with engine.catalog.reading() as connection:
        copies = identity.copies(connection, tier)
        some = identity.some(connection, tier, at_most=_LOOKED_AT)
    if whose is None and not copies and tier not in _identity(engine.catalog).tiers:
        return
    site = engine.store(tier).site
    with _bare(engine, tier) as bare:
        if any(_is_there(bare, copy) for copy in some):
            return
    if some:
        what = f"none of {format_count(len(some), 'copy')} that it should have is in {site}, such as {some[0].location}"
    elif copies:
        what = f"nothing is known that must be in {site}: {format_count(copies, 'copy')} being written or deleted"
    elif whose is not None:
        what = f"this catalog knows of no copy in {site}"
    else:
        what = f"it was marked in another place than {site}, and has no copies that could tell"
    way_out = _OR_ELSE.format(tier=f"{tier} --lost", cure=advice.of(engine.store(tier).config.url))
    raise TierNotOurs(tier=tier, reason=f"{whose or 'it has no mark'}, and {what}: {way_out}")


@contextmanager
def _bare(engine: Engine, tier: str) -> Iterator[Store]:
    """Open a second store of the tier, without a guard: the copies show that the place is the tier's, not its mark."""
    settings = engine.settings
    store = factory.make(tier, settings.tiers[tier], io_threads=2, catalog_url=settings.catalog.url)
    try:
        yield store
    finally:
        store.close()


def _is_there(store: Store, copy: Known) -> bool:
    try:
        return store.head(ObjectKey(copy.location, copy.version)).size == copy.size
    except (ObjectNotFound, TierNotOurs):
        return False


def _fresh(catalog: Database, tier: str) -> tuple[TierMark, Identity]:
    known = _identity(catalog)
    with catalog.reading() as connection:
        return TierMark(known.catalog, known.line, tier, catalog_now(connection)), known


def _identity(catalog: Database) -> Identity:
    with catalog.reading() as connection:
        known = identity.read(connection)
    if known is None:
        found = f"{revisions.head()} without an identity"
        raise CatalogNotReady(found=found, needed=revisions.head(), fix=revisions.UPGRADE_CATALOG)
    return known


def _is_own(settings: Settings, tier: str) -> bool:
    """Return True if an embedded catalog may create the tier's place: in its home, ``base_path`` or own database."""
    place, options = factory.read(tier, settings.tiers[tier])
    if place.scheme == "postgres":
        return not place.host and options.keys() <= _OF_THE_STORE
    if place.scheme != "file":
        return False
    folder = Path(place.path).resolve()
    roots = [settings.home, settings.base_path]
    return any(root is not None and folder.is_relative_to(root.resolve()) for root in roots)
