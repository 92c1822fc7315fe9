"""Content that cannot be read, or is lost: when its copies in the catalog say so, and what is told of it then."""

from collections.abc import Container, Iterable
from typing import Final

from tierkeeper.base.errors import ContentLost, NoReadableCopy
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.policy.decision import when

BLOCKED: Final = (
    "the content is lost, every copy was found damaged or is gone: `tierkeeper reconcile` reads them once more;"
    " otherwise only storing it again brings the content back"
)
STEP: Final = "no readable copy: `tierkeeper reconcile` reads them once more, else store it again"


def is_lost(copies: Iterable[PlacementRow], tiers: Container[str]) -> bool:
    """Whether every copy was found damaged or is gone; not where one is being written, or its tier is none of ours."""
    return not any(
        copy.state is PlacementState.COPYING or copy.readable or (copy.kept and copy.tier not in tiers)
        for copy in copies
    )


def unreadable(engine: Engine, row: ArtifactRow, reasons: Iterable[str]) -> NoReadableCopy:
    """Return the error that says why no copy could be read: what was tried, and what of the others is known."""
    copies = copies_of(engine, row)
    known = [copy for copy in copies if copy.suspect or not may_be_read(engine, copy)]
    told = [*reasons, *(_known(engine, copy) for copy in known)]
    kind = ContentLost if is_lost(copies, engine.stores) and not _away(engine, copies) else NoReadableCopy
    return kind(ref=row.ref, reasons="; ".join(dict.fromkeys(told)) or "there is none")


def unasked(engine: Engine, row: ArtifactRow) -> bool:
    """Whether a copy lies in a tier that is not configured here, so that nobody can say that the content is lost."""
    return any(copy.kept and copy.tier not in engine.stores for copy in copies_of(engine, row))


def copies_of(engine: Engine, row: ArtifactRow) -> list[PlacementRow]:
    """Return the copies of an artifact's content that the catalog knows, in whatever state."""
    if row.blob_id is None:
        return []
    with engine.catalog.reading() as connection:
        return placements.of_blobs(connection, [row.blob_id])[row.blob_id]


def may_be_read(engine: Engine, copy: PlacementRow) -> bool:
    """Whether a copy may be read, and lies in a tier of this process."""
    return copy.readable and copy.tier in engine.stores


def _away(engine: Engine, copies: Iterable[PlacementRow]) -> bool:
    """Whether a tier in which a copy should lie does not answer now, or is not ours: what lies there nobody can say."""
    stores = [engine.store(tier) for tier in sorted({copy.tier for copy in copies if copy.kept})]
    return bool(engine.marks.refused(stores, bound=True))


def _known(engine: Engine, copy: PlacementRow) -> str:
    """Return why a copy is not even tried, or is a suspect."""
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
