"""The objects that every part of the engine works with: settings, catalog, stores, policies, threads, tier marks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import UnknownTier
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.active_policies import PolicyBook
from tierkeeper.engine.mark_check import Marks
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import ObjectInfo, Store
from tierkeeper.stores.errors import StoreError, TierNotOurs

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one process. ``stores`` by tier name; ``tiers`` ordered from hottest to coldest."""

    settings: Settings
    catalog: Database
    stores: Mapping[str, Store]
    tiers: Sequence[TierInfo]
    book: PolicyBook
    threads: ThreadPoolExecutor
    marks: Marks

    @property
    def lease(self) -> float:
        """The length of a lease in seconds (setting ``engine.lease``)."""
        return self.settings.engine.lease.total_seconds()

    @property
    def grace(self) -> timedelta:
        """The time between dooming a copy and deleting it (setting ``engine.grace``); longer than any copy or read."""
        return self.settings.engine.grace

    def store(self, tier: str) -> Store:
        """Return the store of a tier; raises UnknownTier, which names the known ones."""
        try:
            return self.stores[tier]
        except KeyError:
            raise UnknownTier(tier=tier, known=", ".join(t.name for t in self.tiers)) from None

    def refused(self, tiers: Iterable[str], *, before: bool = False) -> dict[str, StoreError]:
        """Return, by tier, why its store's answers prove nothing (R19); tiers that confirm their places are left out.

        A tier that is not configured is refused. ``before``: the check precedes a call, so a recent reading of the mark
        will do (see :meth:`Marks.confirm`).
        """
        asked = sorted(set(tiers))
        errors = self.marks.refused([self.stores[tier] for tier in asked if tier in self.stores], before=before)
        reason = "the settings of this process have no such tier"
        return errors | {t: TierNotOurs(tier=t, reason=reason) for t in asked if t not in self.stores}

    def unconfirmed(self) -> dict[str, StoreError]:
        """Return, by tier, why it does not confirm now to be its own place; sweeps leave such tiers out."""
        return self.marks.refused(self.stores.values(), bound=True)

    def in_parallel(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call once per item in the engine's threads; return the results in the items' order, raise the first error."""
        return list(self.threads.map(call, items))


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker that converges: its fencing token, the caller that its events name, the run that it works for.

    ``progressed`` is called on progress within its items.
    """

    token: UUID
    caller: Caller
    run: UUID | None = None
    progressed: Callable[[], None] = lambda: None


def info_of(artifact: ArtifactRow, placement: UUID) -> ObjectInfo:
    """Return the description of an artifact that a store keeps with the bytes of this placement."""
    return ObjectInfo(
        tenant=artifact.tenant,
        workflow=artifact.workflow,
        name=artifact.name,
        version=artifact.version,
        placement=placement,
        sha256=artifact.sha256,
        size=artifact.size,
        created=artifact.created_at,
        content_type=artifact.content_type,
        metadata=artifact.metadata,
    )
