"""Content that cannot be read or is lost: how its copies in the catalog tell, and the error and texts for it."""

from collections.abc import Container, Iterable, Mapping
from typing import Final

from tierkeeper.base.errors import ContentLost, NoReadableCopy
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import placements
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.policy.decision import when
from tierkeeper.stores.base import Store

BLOCKED: Final = (
    "the content is lost, every copy was found damaged or is gone: `tierkeeper reconcile` reads them once more;"
    " otherwise only storing it again brings the content back"
)
STEP: Final = "no readable copy: `tierkeeper reconcile` reads them once more, else store it again"


def is_lost(copies: Iterable[PlacementRow], tiers: Container[str]) -> bool:
    """Return True if every copy is damaged or gone; a copy being written, or outside of ``tiers``, may be right."""
    return not any(
        copy.state is PlacementState.COPYING or copy.readable or (copy.kept and copy.tier not in tiers)
        for copy in copies
    )


def unreadable(engine: Engine, row: ArtifactRow, reasons: Iterable[str]) -> NoReadableCopy:
    """Return the error of content without a readable copy: ``reasons`` of those tried, and why others were not."""
    copies = copies_of(engine.catalog, row)
    known = [copy for copy in copies if copy.suspect or not may_be_read(engine.stores, copy)]
    causes = [*reasons, *(_known(engine, copy) for copy in known)]
    kind = ContentLost if is_lost(copies, engine.stores) and not _is_away(engine, copies) else NoReadableCopy
    return kind(ref=row.ref, reasons="; ".join(dict.fromkeys(causes)) or "there is none")


def unasked(engine: Engine, row: ArtifactRow) -> bool:
    """Return True if a copy is in a tier that this process does not have, so that a loss cannot be established."""
    return any(copy.kept and copy.tier not in engine.stores for copy in copies_of(engine.catalog, row))


def copies_of(catalog: Database, row: ArtifactRow) -> list[PlacementRow]:
    """Return all placements of an artifact's content, in any state."""
    if row.blob_id is None:
        return []
    with catalog.reading() as connection:
        return placements.of_blobs(connection, [row.blob_id])[row.blob_id]


def may_be_read(stores: Mapping[str, Store], copy: PlacementRow) -> bool:
    """Return True if a copy is readable and in a tier of this process."""
    return copy.readable and copy.tier in stores


def _is_away(engine: Engine, copies: Iterable[PlacementRow]) -> bool:
    """Return True if a tier that should have a copy fails, or is not ours (R19): its copies cannot be judged now."""
    stores = [engine.store(tier) for tier in sorted({copy.tier for copy in copies if copy.kept})]
    return bool(engine.marks.refused(stores, bound=True))


def _known(engine: Engine, copy: PlacementRow) -> str:
    """Return why a copy was not tried, or that it is a suspect."""
    if copy.state is PlacementState.COPYING:
        return f"{copy.tier}: it is not written yet"
    if copy.state is PlacementState.DELETING:
        return f"{copy.tier}: it is being deleted"
    if copy.damaged_at is not None:
        return f"{copy.tier}: it was found damaged at {when(copy.damaged_at)}"
    if copy.missed_at is not None and copy.tier in engine.stores:
        again = copy.missed_at + engine.settings.reconcile.quarantine
        return f"{copy.tier}: it was not found at {when(copy.missed_at)}, and is looked for again after {when(again)}"
    return f"{copy.tier}: this tier is not configured"
