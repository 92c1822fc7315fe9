"""What every part of the engine works with: catalog, stores, policies, threads, numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import UnknownTier
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.marks import Marks
from tierkeeper.engine.policybook import PolicyBook
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import ObjectInfo, Store
from tierkeeper.stores.errors import StoreError, TierNotOurs

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Engine:
    """One process's engine. ``tiers`` are ordered from hottest to coldest."""

    settings: Settings
    catalog: Database
    stores: Mapping[str, Store]
    tiers: Sequence[TierInfo]
    book: PolicyBook
    threads: ThreadPoolExecutor
    marks: Marks

    @property
    def lease(self) -> float:
        """Seconds of a lease."""
        return self.settings.engine.lease.total_seconds()

    @property
    def grace(self) -> timedelta:
        """From doomed to collected; longer than the longest copy or read."""
        return self.settings.engine.grace

    def store(self, tier: str) -> Store:
        """Return the store of a tier; UnknownTier names those there are."""
        try:
            return self.stores[tier]
        except KeyError:
            raise UnknownTier(tier=tier, known=", ".join(t.name for t in self.tiers)) from None

    def asked_tiers(self) -> list[TierInfo]:
        """Return the tiers, hottest first; their stores are asked whether they can lock, which needs their places."""
        return [replace(tier, can_lock=self.store(tier.name).can_lock) for tier in self.tiers]

    def refused(self, tiers: Iterable[str], *, before: bool = False) -> dict[str, StoreError]:
        """Return why nothing may be concluded from what these tiers' stores said (R19), of those where that is so.

        A tier that is not configured is among them. ``before``: asked before a call; its answer may be an older one.
        """
        asked = sorted(set(tiers))
        found = self.marks.refused([self.stores[tier] for tier in asked if tier in self.stores], before=before)
        reason = "the settings of this process have no such tier"
        return found | {t: TierNotOurs(tier=t, reason=reason) for t in asked if t not in self.stores}

    def unconfirmed(self) -> dict[str, StoreError]:
        """Return why tiers cannot be used now, of all that do not confirm: sweeps leave them out."""
        return self.marks.refused(self.stores.values(), bound=True)

    def in_parallel(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Make one store call per item, some at once; results in the items' order, the first error raised."""
        return list(self.threads.map(call, items))


@dataclass(frozen=True, slots=True)
class Worker:
    """Who converges: its fencing token, the caller whom its events name, the run it works for."""

    token: UUID
    caller: Caller
    run: UUID | None = None


def info_of(artifact: ArtifactRow, placement: UUID) -> ObjectInfo:
    """Return what travels with the bytes of this placement."""
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
