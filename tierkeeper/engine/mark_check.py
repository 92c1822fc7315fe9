"""Whether a place is a tier of this catalog (R19): checked within calls of bound stores, and around those of others.

A bound store (a folder, a database) reads the mark where it does its work and calls the :meth:`Marks.guard` within each
call: its answers come from the tier's own place, or it raises. A request to any other store goes wherever its name
leads at that moment. So the mark is read before the calls and again *after* the answers from which something is to
be concluded: a place that changed in between is noticed, unless it went away and came back between the two readings.

The reading before is made when a batch begins: one from an earlier batch would accept a place that was away when this
batch began and came back within it. Batches that begin within ``RECENT`` seconds of that reading share it, so that
artifacts stored one by one do not each cause one. The reading after is valid for every answer received before it began,
so one serves a whole batch.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from threading import Lock
from time import monotonic
from typing import Final

from tierkeeper.base import log
from tierkeeper.catalog import identity
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.identity import Identity
from tierkeeper.stores import advice
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import MarkNotRead, StoreDefect, StoreError, TierNotOurs
from tierkeeper.stores.tier_mark import Guard, TierMark

_log = log.get(__name__)

#: seconds for which the reading of a mark before a batch serves the next batches too
RECENT: Final = 1.0
#: seconds for which the cached identity is valid: another host may adopt another place, or accept a restored catalog
KNOWN: Final = 3.0
#: seconds between two warnings about one tier for the same reason, unless it confirmed in between
_TOLD: Final = 60.0


class Marks:
    """Checks tier marks against the identity of this process's catalog. Safe to use from many threads."""

    def __init__(self, catalog: Database) -> None:
        self._catalog = catalog
        self._lock = Lock()
        self._identity: Identity | None = None
        self._identity_at = -inf  # when its reading began
        self._assumed: Mapping[str, TierMark] = {}
        self._seen: dict[str, float] = {}  # by tier: when the last reading began that confirmed it
        self._throttle = log.Throttle(_TOLD)  # each step of a sweep meets the same refusal

    def guard(self, store: Store) -> Guard:
        """Return the function that a bound store of this tier calls with each mark that it finds.

        It raises as :meth:`judge` does, and returns whether the store may remember the answer.
        """

        def ask(mark: TierMark | None) -> bool:
            self.judge(store, mark)
            return not self._assumed

        return ask

    def judge(self, store: Store, mark: TierMark | None) -> None:
        """Raise TierNotOurs unless ``mark`` is the mark that the catalog has for the store's tier.

        The cached identity is enough for a match for ``KNOWN`` seconds. A mark that differs is compared with the
        catalog as it is now: the mark may be newer than the cached identity.
        """
        with self._lock:
            known = self._identity if monotonic() - self._identity_at < KNOWN else None
        if self._difference(known, store, mark) is None:
            return
        reason = self._difference(self.read_identity(), store, mark)
        if reason is not None:
            raise TierNotOurs(tier=store.config.tier, reason=reason)

    def confirm(self, store: Store, *, before: bool = False, bound: bool = False) -> None:
        """Raise TierNotOurs, or what the store raises, unless the store is at the tier's own place now.

        ``bound``: check bound stores too, whose calls check themselves. ``before``: for other stores, a reading that
        began at most ``RECENT`` seconds ago is enough.
        """
        tier, now = store.config.tier, monotonic()
        skip = not bound if store.bound else (before and now - self._seen.get(tier, -inf) < RECENT)
        if skip:
            return
        self._seen.pop(tier, None)
        self.judge(store, read(store))
        self._seen[tier] = now
        self._throttle.forget(tier)

    def refused(self, stores: Iterable[Store], *, before: bool = False, bound: bool = False) -> dict[str, StoreError]:
        """Return, by tier, the errors of those stores that :meth:`confirm` refuses; each is logged, throttled."""
        errors: dict[str, StoreError] = {}
        for store in stores:
            try:
                self.confirm(store, before=before, bound=bound)
            except StoreError as error:
                tier = store.config.tier
                if self._throttle.due(tier, str(error)):
                    _log.warning("a tier cannot be used", tier=tier, error=str(error))
                errors[tier] = error
        return errors

    @contextmanager
    def assuming(self, marks: Mapping[str, TierMark]) -> Iterator[None]:
        """Accept exactly these marks, by tier, as ours within the block: for recovery, before the identity is set."""
        self._assumed = marks
        try:
            yield
        finally:
            self._assumed = {}
            self.refresh()

    def refresh(self) -> None:
        """Drop the cached identity and readings: the catalog's identity has changed."""
        with self._lock:
            self._identity = None
            self._seen.clear()

    def read_identity(self) -> Identity | None:
        """Read the catalog's identity, which is then valid for ``KNOWN`` seconds; None: it has none."""
        began = monotonic()
        with self._catalog.reading() as connection:
            known = identity.read(connection)
        with self._lock:
            self._identity, self._identity_at = known, began
        return known

    def _difference(self, known: Identity | None, store: Store, mark: TierMark | None) -> str | None:
        """Say in words why a mark is not the one of this tier of this catalog; None where it is."""
        if mark is not None and self._assumed.get(store.config.tier) == mark:
            return None
        if known is None:
            return "the catalog has no identity yet: run `tierkeeper init`"
        if mark is None:
            what_next = "it was never marked: run `tierkeeper init` once its place is there"
            if store.config.tier in known.tiers:
                what_next = advice.of(store.config.url)
            return f"it has no mark in {store.site}: {what_next}"
        return difference(known, store, mark)


def read(store: Store) -> TierMark | None:
    """Return the mark in a store's place; a defect of the store itself is MarkNotRead."""
    try:
        return store.mark()
    except StoreDefect as error:
        raise MarkNotRead(tier=store.config.tier, place=store.site, reason=error.data["reason"]) from error


def difference(known: Identity, store: Store, mark: TierMark) -> str | None:
    """Say in words why a mark is not the one of this tier of this catalog; None where it is."""
    tier = store.config.tier
    if mark.catalog != known.catalog:
        return f"{store.site} belongs to another catalog ({mark.catalog}; this one is {known.catalog})"
    if mark.tier != tier:
        return f"{store.site} is tier {mark.tier} of this catalog"
    if mark.line != known.line:
        return f"{store.site} belongs to another copy of this catalog, which was accepted at another time"
    marked_at = known.tiers.get(tier)
    if marked_at != mark.made:
        when = (
            "and the catalog knows of none"
            if marked_at is None
            else f"and that of this tier was made {marked_at.isoformat()}"
        )
        return f"the mark in {store.site} was made {mark.made.isoformat()}, {when}"
    return None
