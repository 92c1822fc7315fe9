"""Vouch for copies that are not vouched for yet: they are read whole, by their pins, and then count (R18).

Such copies come from releases that took a store's word, and from workers of such a release that still run. A crash
after the read leaves the copy as it was: its artifact is due, and the copy is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.content import Content
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.catalog import blobs, placements
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage
from tierkeeper.engine.copies.opener import Read
from tierkeeper.engine.copies.transfer import Renewal, in_threads
from tierkeeper.stores.gate import fault

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A copy that is not vouched for, and the content that it should have."""

    copy: PlacementRow
    content: Content


def resolve(
    engine: Engine, doubts: Sequence[Doubt], renewal: Renewal, *, caller: Caller
) -> Mapping[UUID, TierkeeperError]:
    """Read these copies, vouch for right ones and report wrong ones; return, by id, why others could not be read."""
    before = engine.refused({doubt.copy.tier for doubt in doubts})
    pins: dict[UUID, str | None] = {}

    def read(doubt: Doubt) -> tuple[Doubt, check.Wrong | Read | TierkeeperError]:
        if doubt.copy.tier in before:
            return doubt, before[doubt.copy.tier]
        try:
            return doubt, check.confirmed(engine, doubt.copy, doubt.content, progressed=renewal.progressed)
        except TierkeeperError as error:
            return doubt, error
        except Exception as error:  # noqa: BLE001  one bad item never stops its batch
            return doubt, fault(doubt.copy.tier, error)

    right: list[PlacementRow] = []
    unread: dict[UUID, TierkeeperError] = {}
    for doubt, result in in_threads(engine.threads, read, doubts, renewal):
        if isinstance(result, Read):
            right.append(doubt.copy)
            pins[doubt.copy.id] = result.pin
        elif isinstance(result, TierkeeperError):
            unread[doubt.copy.id] = result
            _log.warning("a copy that nobody vouches for can't be read", tier=doubt.copy.tier, error=str(result))
        else:
            damage.report(engine, doubt.copy, result, caller=caller)
    away = engine.refused(copy.tier for copy in right)  # right bytes of another place vouch for nothing (R19)
    unread |= {copy.id: away[copy.tier] for copy in right if copy.tier in away}
    vouch(engine.catalog, [copy for copy in right if copy.tier not in away], pins, caller=caller)
    return unread


def vouch(
    catalog: Database, copies: Sequence[PlacementRow], pins: Mapping[UUID, str | None], *, caller: Caller
) -> set[UUID]:
    """Record that these copies were read, by these pins, and are right; return the ids it was recorded for.

    Copies that meanwhile were found damaged or are being deleted are left out.
    """
    return catalog.run(caller, _mark_verified, copies, pins) if copies else set()


def _mark_verified(
    connection: sa.Connection, copies: Sequence[PlacementRow], pins: Mapping[UUID, str | None]
) -> set[UUID]:
    blobs.lock(connection, [copy.blob_id for copy in copies])
    return placements.mark_verified(
        connection, {copy.id: pins.get(copy.id) for copy in copies}, now=catalog_now(connection)
    )
