"""The verdicts on collect's candidates.

They are reached twice: before the copies that stay are checked, and again under the blobs' locks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.ids import in_order
from tierkeeper.catalog import artifacts, placements
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.collect import deletable
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates
from tierkeeper.engine.copies.opener import key_of
from tierkeeper.engine.moment import Moment
from tierkeeper.stores.base import ObjectKey

#: the copies that were checked and are right, each with the key that it was checked by
SeenCopies = Mapping[UUID, ObjectKey]


@dataclass(frozen=True, slots=True)
class Marked:
    """A copy that goes: its row as it was before the mark, and an artifact that its event names."""

    placement: PlacementRow
    stale: bool  # an intent, or a deletion of one: all versions and open uploads of its key are deleted
    owner: ArtifactRow | None


@dataclass(frozen=True, slots=True)
class JudgedCandidates:
    """The verdicts on the candidates, those that go, and the copies that must be seen before these go (R21).

    ``to_see``: all other copies that count and stay, in any kind of store. A tier that is no longer configured cannot
    be queried, so copies in it are never seen.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    marked: list[Marked] = field(default_factory=list)
    to_see: dict[UUID, PlacementRow] = field(default_factory=dict)
    unseen: list[UUID] = field(default_factory=list)  # the candidates that are kept because a copy to see was not seen


def judge_batch(
    connection: sa.Connection,
    engine: Engine,
    candidates: Iterable[tuple[UUID, UUID]],
    *,
    away: Mapping[str, Verdict],
    seen: SeenCopies | None,
) -> JudgedCandidates:
    """Decide about each candidate (placement, blob).

    A copy in a tier that is ``away`` (whose place is not confirmed to be its own) is left out, and does not count as
    another copy of its blob either. ``seen`` None: no copy was checked yet; the result is what would go if all copies
    were right, and ``to_see`` names those to check; a blob's only copy, beside which none stays, is left out of it.
    """
    chosen = {placement for placement, _ in candidates}
    of = in_order(blob for _, blob in candidates)
    moment = Moment.read(connection, engine)
    if seen is None:
        of = in_order(placements.of_several(connection, of))
    copies = placements.of_blobs(connection, of)
    added = _needs(connection, moment, copies)
    late = engine.settings.engine.lease
    judged = JudgedCandidates()
    for blob in of:
        needs, owners = added[blob].needs, added[blob].owners
        staying = [copy for copy in copies[blob] if copy.tier not in away]
        for copy in copies[blob]:
            if copy.id not in chosen:
                continue
            if copy.tier in away:
                judged.verdicts.append(away[copy.tier])
                continue
            verdict = deletable.judge(copy, staying, needs, now=moment.now, late=late)
            if verdict is Verdict.COLLECTED:
                to_see = [other for other in staying if other.id != copy.id and fates.good(other)]
                judged.to_see.update((other.id, other) for other in to_see)
                if seen is not None and any(seen.get(other.id) != key_of(other.form) for other in to_see):
                    verdict = Verdict.UNSEEN
                    judged.unseen.append(copy.id)
            judged.verdicts.append(verdict)
            if verdict.goes:
                staying.remove(copy)
                owner = owners.get(copy.artifact_id) or owners.get(None)
                judged.marked.append(Marked(copy, copy.stored_size is None, owner))
    return judged


@dataclass(slots=True)
class _Owners:
    """What the artifacts of a blob need, and those that events name: owners of copies by id, and any (None)."""

    needs: deletable.Needs = deletable.NOTHING
    owners: dict[UUID | None, ArtifactRow] = field(default_factory=dict)


def _needs(
    connection: sa.Connection, moment: Moment, copies: Mapping[UUID, Iterable[PlacementRow]]
) -> dict[UUID, _Owners]:
    """Add up, artifact by artifact, what all of each blob need: of one content there may be any number."""
    added = {blob: _Owners() for blob in copies}
    named = {copy.artifact_id for of_blob in copies.values() for copy in of_blob}
    for artifact in artifacts.of_blobs(connection, list(copies)):
        of_blob = added[artifact.blob_id] if artifact.blob_id is not None else _Owners()
        of_blob.needs = of_blob.needs.added(artifact, moment)
        if artifact.id in named:
            of_blob.owners[artifact.id] = artifact
        first = of_blob.owners.setdefault(None, artifact)
        if artifact.id < first.id:
            of_blob.owners[None] = artifact
    return added
