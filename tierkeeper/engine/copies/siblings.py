"""The other copies of a content: whether any of them has the right bytes, before the content is called lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.content import Content
from tierkeeper.catalog import artifacts, inventory, placements
from tierkeeper.catalog.inventory import Copy
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check
from tierkeeper.stores.errors import StoreError


@dataclass(frozen=True, slots=True)
class Siblings:
    """A copy's own row, the other copies of its content in whatever tier, and an artifact that needs it."""

    mine: PlacementRow | None
    copies: Sequence[PlacementRow]
    owner: ArtifactRow | None


def of(engine: Engine, copies: Sequence[Copy]) -> dict[UUID, Siblings]:
    """Return by copy the other ones of the same content, and one artifact that needs it."""
    blobs = {copy.blob for copy in copies}
    if not blobs:
        return {}
    with engine.catalog.reading() as connection:
        found = placements.of_blobs(connection, blobs)
        owners = inventory.owners(connection, blobs)
        rows = {row.id: row for row in artifacts.load(connection, list(owners.values()))}
    return {
        copy.id: Siblings(
            mine=next((p for p in found[copy.blob] if p.id == copy.id), None),
            copies=[p for p in found[copy.blob] if p.id != copy.id],
            owner=rows.get(owners.get(copy.blob, copy.id)),
        )
        for copy in copies
    }


def any_right(engine: Engine, siblings: Siblings, content: Content) -> bool | None:
    """Whether another copy can be read; what is damaged or a suspect is read before the content is called lost.

    None: of none it is known that it is right, and not of all that they are not.
    """
    if any(copy.readable and not copy.suspect and copy.tier in engine.stores for copy in siblings.copies):
        return True
    answers = [reads_right(engine, copy, content) for copy in siblings.copies if copy.kept]
    return True if True in answers else None if None in answers else False


def reads_right(engine: Engine, copy: PlacementRow | None, content: Content) -> bool | None:
    """Whether a copy's bytes are right now; None: nobody can say.

    Its store fails, its tier is not configured here, or it is a suspect that is still not found.
    """
    if copy is None:
        return False
    if copy.tier not in engine.stores:
        return None
    try:
        found = check.check(engine, copy, content, pinned=False)
    except StoreError:
        return None
    if isinstance(found, check.Wrong):
        return None if found.missing and copy.suspect else False
    return True
