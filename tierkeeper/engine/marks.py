"""Whether a place is a tier of this catalog: asked by each call of a bound store, and around the calls of others (R19).

A bound store (a folder, a database) reads the mark where it does its work and asks :meth:`Marks.guard` within each
call: what it says comes from the tier's own place or not at all. Every other store's request goes where its name leads
at that moment. So the mark is read before, and *after* the answers that something is to be concluded from: a place
that changed meanwhile is noticed, unless it went away and came back between both.

The mark before is read as the batch begins: one from an earlier batch would let through a place that was away when
this one began and came back within it. Batches that follow each other within ``RECENT`` seconds share one, so that
stores one by one do not read it each. The mark after is good for every answer that came before its reading began, so
one serves a whole batch.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from threading import Lock
from time import monotonic
from typing import Final

from tierkeeper.base import log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.catalog import identity
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.identity import Identity
from tierkeeper.stores import advice
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import MarkNotRead, StoreError, TierNotOurs
from tierkeeper.stores.marks import Guard, TierMark

_log = log.get(__name__)

#: seconds for which a mark that was read before a batch is good for the next ones
RECENT: Final = 1.0
#: seconds for which what was read of the catalog is good: another host may adopt another place, or accept a restore
KNOWN: Final = 3.0
#: seconds until the log is told again of the same tier for the same reason, if it did not confirm meanwhile
_TOLD: Final = 60.0


class Marks:
    """One process's knowledge of which catalog it works for. Safe to use from many threads."""

    def __init__(self, catalog: Database) -> None:
        self._catalog = catalog
        self._lock = Lock()
        self._identity: Identity | None = None
        self._identity_at = -inf  # when its reading began
        self._assumed: Mapping[str, TierMark] = {}
        self._seen: dict[str, float] = {}  # when the last reading began that found a tier ours
        self._throttle = log.Throttle(_TOLD)  # why a tier is refused: the steps of a sweep all meet it

    def guard(self, store: Store) -> Guard:
        """Return what a bound store of this tier asks about each mark that it finds."""

        def ask(found: TierMark | None) -> bool:
            self.judge(store, found)
            return not self._assumed

        return ask

    def judge(self, store: Store, found: TierMark | None) -> None:
        """Raise TierNotOurs unless this is the mark that the catalog knows of its tier.

        What was read of the catalog serves a match for ``KNOWN`` seconds. A mark that differs is compared with the
        catalog as it is now: the mark may be newer than what was read of it.
        """
        with self._lock:
            known = self._identity if monotonic() - self._identity_at < KNOWN else None
        if self._difference(known, store, found) is None:
            return
        reason = self._difference(self._read(), store, found)
        if reason is not None:
            raise TierNotOurs(tier=store.config.tier, reason=reason)

    def confirm(self, store: Store, *, before: bool = False, bound: bool = False) -> None:
        """Raise TierNotOurs, or what the store raises, unless this is the tier's place now.

        ``bound``: ask bound stores too, which tell within each call. ``before``: of others a reading that began at most
        ``RECENT`` seconds ago will do.
        """
        tier, now = store.config.tier, monotonic()
        told = not bound if store.bound else (before and now - self._seen.get(tier, -inf) < RECENT)
        if told:
            return
        self._seen.pop(tier, None)
        self.judge(store, read(store))
        self._seen[tier] = now
        self._throttle.forget(tier)

    def refused(self, stores: Iterable[Store], *, before: bool = False, bound: bool = False) -> dict[str, StoreError]:
        """Return why these tiers cannot be used now, of those that :meth:`confirm` refuses."""
        found: dict[str, StoreError] = {}
        for store in stores:
            try:
                self.confirm(store, before=before, bound=bound)
            except StoreError as error:
                tier = store.config.tier
                if self._throttle.due(tier, str(error)):
                    _log.warning("a tier cannot be used", tier=tier, error=str(error))
                found[tier] = error
        return found

    @contextmanager
    def assuming(self, found: Mapping[str, TierMark]) -> Iterator[None]:
        """While this lasts these very marks count as ours, by tier: an operator goes on with this catalog."""
        self._assumed = found
        try:
            yield
        finally:
            self._assumed = {}
            self.refresh()

    def refresh(self) -> None:
        """Forget what was read of the catalog: it has another identity now."""
        with self._lock:
            self._identity = None
            self._seen.clear()

    def _read(self) -> Identity | None:
        began = monotonic()
        with self._catalog.reading() as connection:
            known = identity.read(connection)
        with self._lock:
            self._identity, self._identity_at = known, began
        return known

    def _difference(self, known: Identity | None, store: Store, found: TierMark | None) -> str | None:
        """Say in words why a mark is not the one of this tier of this catalog; None where it is."""
        if found is not None and self._assumed.get(store.config.tier) == found:
            return None
        if known is None:
            return "the catalog has no identity yet: run `tierkeeper init`"
        if found is None:
            what_next = "it was never marked: run `tierkeeper init` once its place is there"
            if store.config.tier in known.tiers:
                what_next = advice.of(store.config.url)
            return f"it has no mark in {store.site}: {what_next}"
        return difference(known, store, found)


def read(store: Store) -> TierMark | None:
    """Return the mark in a store's place; whatever it raises that is no error of the port's is MarkNotRead."""
    try:
        return store.mark()
    except TierkeeperError:
        raise
    except Exception as error:
        tier = store.config.tier
        _log.exception("a store failed in a way of its own", tier=tier)
        raise MarkNotRead(tier=tier, place=store.site, reason=f"{type(error).__name__}: {error}") from error


def difference(known: Identity, store: Store, found: TierMark) -> str | None:
    """Say in words why a mark is not the one of this tier of this catalog; None where it is."""
    tier = store.config.tier
    if found.catalog != known.catalog:
        return f"{store.site} belongs to another catalog ({found.catalog}; this one is {known.catalog})"
    if found.tier != tier:
        return f"{store.site} is tier {found.tier} of this catalog"
    if found.line != known.line:
        return f"{store.site} belongs to another copy of this catalog, which was accepted at another time"
    made = known.tiers.get(tier)
    if made != found.made:
        when = "and the catalog knows of none" if made is None else f"and that of this tier was made {made.isoformat()}"
        return f"the mark in {store.site} was made {found.made.isoformat()}, {when}"
    return None
