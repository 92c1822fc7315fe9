"""WORM locks on committed copies: set on exactly the committed version, never by a bucket's default retention."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import callers, log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import PlacementState, RetentionMode
from tierkeeper.catalog import placements
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.policy.rules import Policy
from tierkeeper.stores.base import ObjectKey

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class RetentionLock:
    """A lock that retention wants and that is not recorded as set, or only until an earlier time."""

    placement: UUID
    tier: str
    key: ObjectKey
    until: datetime
    mode: RetentionMode


def tiers_of(policies: Iterable[Policy]) -> frozenset[str]:
    """Return the tiers in which the retention of these policies wants locks."""
    return frozenset[str]().union(*(policy.retention.tiers for policy in policies if policy.retention is not None))


def ask(engine: Engine, tiers: Collection[str]) -> dict[str, bool]:
    """Return by tier whether its store can lock, of those that tell; a store may take long to answer.

    So it is asked before a transaction, of which others wait for the locks.
    """
    asked = sorted(tier for tier in tiers if tier in engine.stores)
    answers = engine.in_parallel(lambda tier: _asked(engine, tier), asked)
    return {tier: can for tier, can in zip(asked, answers, strict=True) if can is not None}


def _asked(engine: Engine, tier: str) -> bool | None:
    try:
        return engine.store(tier).can_lock
    except TierkeeperError as error:
        _log.warning("it is not known whether a tier can lock", tier=tier, error=str(error))
        return None


def wanted(
    engine: Engine,
    policy: Policy,
    until: datetime | None,
    copies: Iterable[PlacementRow],
    *,
    lockable: Mapping[str, bool],
    now: datetime,
) -> list[RetentionLock]:
    """Return the locks missing on present copies in the tiers of the policy's retention; suspects get none.

    ``lockable``: which stores can lock, as :func:`ask` returned it. Of a tier that is not among them, which did not
    tell or which an edit named since, the lock is missing: the artifact is due again until it is set, or not needed.
    """
    if policy.retention is None or until is None or until <= now:
        return []
    return [
        RetentionLock(p.id, p.tier, ObjectKey(p.location, p.store_version), until, policy.retention.mode)
        for p in copies
        if p.state is PlacementState.PRESENT
        and not p.suspect
        and p.tier in policy.retention.tiers
        and p.tier in engine.stores
        and lockable.get(p.tier, True)
        and (p.locked_until is None or p.locked_until < until)
    ]


def apply(engine: Engine, locks: Sequence[RetentionLock]) -> list[UUID]:
    """Set these locks in parallel and record the ends that the stores report; return the placements that were locked.

    A lock that could not be set is logged; its artifact is due again (the caller's commit saw to that).
    """
    away = engine.refused({lock.tier for lock in locks}) if locks else {}
    sent = [lock for lock in locks if lock.tier not in away]
    ends = engine.in_parallel(lambda lock: _set(engine, lock), sent)
    away |= engine.refused({lock.tier for lock in sent})
    pairs = zip(sent, ends, strict=True)
    held = [(lock, until) for lock, until in pairs if until is not None and lock.tier not in away]
    if held:
        engine.catalog.run(callers.TIERKEEPER, _record_ends, held)
    return [lock.placement for lock, _ in held]


def _record_ends(connection: sa.Connection, held: Sequence[tuple[RetentionLock, datetime]]) -> None:
    for lock, until in held:
        placements.mark_locked(connection, lock.placement, until=until)


def _set(engine: Engine, lock: RetentionLock) -> datetime | None:
    try:
        return engine.store(lock.tier).extend(lock.key, until=lock.until, mode=lock.mode)
    except TierkeeperError as error:
        _log.warning("not locked yet", tier=lock.tier, location=lock.key.location, error=str(error))
        return None
