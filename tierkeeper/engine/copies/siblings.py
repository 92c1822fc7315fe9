"""The other copies of a content, which are searched for right bytes before the content is called lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.content import Content
from tierkeeper.catalog import artifacts, inventory, placements
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.inventory import Copy
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check
from tierkeeper.stores.errors import StoreError


@dataclass(frozen=True, slots=True)
class Siblings:
    """A copy's own row (``mine``), the other copies of its content in any tier, and an artifact that needs it."""

    mine: PlacementRow | None
    copies: Sequence[PlacementRow]
    owner: ArtifactRow | None


def of_copies(catalog: Database, copies: Sequence[Copy]) -> dict[UUID, Siblings]:
    """Return, by copy id, the other copies of the same content and one artifact that needs it."""
    blobs = {copy.blob for copy in copies}
    if not blobs:
        return {}
    with catalog.reading() as connection:
        placed = placements.of_blobs(connection, blobs)
        owners = inventory.owners(connection, blobs)
        rows = {row.id: row for row in artifacts.load(connection, list(owners.values()))}
    return {
        copy.id: Siblings(
            mine=next((p for p in placed[copy.blob] if p.id == copy.id), None),
            copies=[p for p in placed[copy.blob] if p.id != copy.id],
            owner=rows.get(owners.get(copy.blob, copy.id)),
        )
        for copy in copies
    }


def any_right(engine: Engine, siblings: Siblings, content: Content) -> bool | None:
    """Return True if another copy may be read, or a damaged or suspect one, which is read for this, is right.

    False: no other copy is right. None: none was found to be right, but not all could be judged.
    """
    if any(copy.readable and not copy.suspect and copy.tier in engine.stores for copy in siblings.copies):
        return True
    answers = [reads_right(engine, copy, content) for copy in siblings.copies if copy.kept]
    return True if True in answers else None if None in answers else False


def reads_right(engine: Engine, copy: PlacementRow | None, content: Content) -> bool | None:
    """Read a copy and return True if its bytes are right; False for ``copy`` None.

    None where it cannot be judged: its store fails, its tier is not configured, or it is a suspect still not found.
    """
    if copy is None:
        return False
    if copy.tier not in engine.stores:
        return None
    try:
        result = check.check(engine, copy, content, pinned=False)
    except StoreError:
        return None
    if isinstance(result, check.Wrong):
        return None if result.missing and copy.suspect else False
    return True
