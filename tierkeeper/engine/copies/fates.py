"""The fates of one blob's copies, given the tiers that want it: decided and written under the blob's lock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import placements
from tierkeeper.catalog.placements import VouchedUpload
from tierkeeper.catalog.rows import PlacementRow


def good(placement: PlacementRow) -> bool:
    """Return True if a copy counts (R15, R20): it is present and sound."""
    return placement.state is PlacementState.PRESENT and _sound(placement)


def rescuable(placement: PlacementRow) -> bool:
    """Return True if a doomed copy may become present again: it is sound."""
    return placement.state is PlacementState.DOOMED and _sound(placement)


def lacking(wanted: Collection[str], copies: Iterable[PlacementRow]) -> set[str]:
    """Return the wanted tiers that have neither a copy that counts nor one that can be rescued."""
    return set(wanted) - {p.tier for p in copies if good(p) or rescuable(p)}


def doubtful(wanted: Collection[str], copies: Sequence[PlacementRow]) -> list[PlacementRow]:
    """Return the copies in lacking tiers that would count, or could be rescued, if they were vouched for."""
    missing = lacking(wanted, copies)
    readable = [p for p in copies if p.tier in missing and p.readable and not p.suspect]
    return [p for p in readable if p.vouched is None and not p.name_purged]


def blocked_by_suspects(copies: Iterable[PlacementRow]) -> set[str]:
    """Return the tiers whose present copy is a suspect, which is not replaced before the second look (R20)."""
    return {p.tier for p in copies if p.suspect and p.state is PlacementState.PRESENT}


def sources(copies: Iterable[PlacementRow]) -> list[PlacementRow]:
    """Return the copies to copy from, vouched ones first, then present ones; doomed ones are included, suspects not."""
    readable = [p for p in copies if p.readable and not p.suspect]
    return sorted(readable, key=lambda p: (p.vouched is None, p.state is not PlacementState.PRESENT))


def _sound(placement: PlacementRow) -> bool:
    """Return True if a copy is undamaged, no suspect, vouched for, and not under a purged name."""
    undoubted = placement.damaged_at is None and placement.missed_at is None and placement.vouched is not None
    return undoubted and not placement.name_purged


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a commit does to one blob's copies. No copy is doomed for being unwanted unless ``complete``.

    ``complete``: every wanted tier has a copy that counts.
    """

    uploads: tuple[tuple[VouchedUpload, PlacementState], ...]
    rescued: tuple[UUID, ...]
    doomed: tuple[UUID, ...]
    complete: bool
    before: frozenset[str]  # tiers with a present copy
    present: frozenset[str]  # the same afterwards
    missed: datetime | None = None  # when a suspect was missed whose second look has to be awaited


def settle(
    wanted: Collection[str],
    copies: Sequence[PlacementRow],
    uploads: Iterable[VouchedUpload],
    *,
    token: UUID,
    configured: Collection[str],
) -> Settlement:
    """Decide the fate of the vouched uploads and of every other copy of the blob; ``configured``: the engine's tiers.

    An upload whose row is no longer ``copying`` under ``token`` was collected, or committed by an earlier attempt of
    this transaction: it is left as it is (R2).
    """
    rows = {p.id: p for p in copies}
    present = {p.tier: p for p in copies if p.state is PlacementState.PRESENT}
    before = frozenset(present)
    counts = {tier for tier, p in present.items() if good(p)}
    fates: list[tuple[VouchedUpload, PlacementState]] = []
    added: set[str] = set()
    doomed: list[UUID] = []
    for upload in uploads:
        row = rows.get(upload.placement)
        if row is None or row.state is not PlacementState.COPYING or row.token != token:
            continue
        wins = upload.tier in wanted and upload.tier not in counts
        if wins:
            counts.add(upload.tier)
            added.add(upload.tier)
            replaced = present.pop(upload.tier, None)  # damaged, a suspect, not vouched for, or under a purged name
            if replaced is not None:
                doomed.append(replaced.id)
        fates.append((upload, PlacementState.PRESENT if wins else PlacementState.DOOMED))
    rescued: list[UUID] = []
    for tier in sorted(set(wanted) - counts):
        candidate = next((p for p in copies if p.tier == tier and rescuable(p)), None)
        if candidate is not None:
            replaced = present.pop(tier, None)
            if replaced is not None:
                doomed.append(replaced.id)
            rescued.append(candidate.id)
            counts.add(tier)
            added.add(tier)
    complete = counts >= set(wanted)
    if complete:
        doomed.extend(p.id for tier, p in present.items() if tier not in wanted)
    kept = {tier for tier, p in present.items() if p.id not in doomed}
    return Settlement(
        uploads=tuple(fates),
        rescued=tuple(rescued),
        doomed=tuple(doomed),
        complete=complete,
        before=before,
        present=frozenset(kept | added),
        missed=None if complete else _missed(set(wanted) - counts, copies, configured=configured),
    )


def _missed(
    lacking_: Collection[str], copies: Sequence[PlacementRow], *, configured: Collection[str]
) -> datetime | None:
    """Return when the first suspect was missed, if the lacking copies have to wait for second looks; else None.

    They wait where every lacking tier has a suspect, or there are no sources but suspects. A suspect in a tier that is
    not configured is not waited for: this process cannot look at it.
    """
    if sources(copies) and not blocked_by_suspects(copies) >= set(lacking_):
        return None
    seen = [p for p in copies if p.suspect and p.tier in configured]
    return min((p.missed_at for p in seen if p.missed_at is not None), default=None)


def write(
    connection: sa.Connection, settled: Collection[Settlement], *, token: UUID, now: datetime, grace: timedelta
) -> None:
    """Write these fates, dooms first: a tier may have only one present copy of a blob at any moment.

    Raises RuntimeError where the row counts do not match (R2): under the blobs' locks no other transaction can have
    changed these rows.
    """
    delete_after = now + grace
    doomed = [p for s in settled for p in s.doomed]
    rescued = [p for s in settled for p in s.rescued]
    uploads = [fate for s in settled for fate in s.uploads]
    changed = (
        placements.doom(connection, doomed, now=now, delete_after=delete_after),
        placements.rescue(connection, rescued),
        placements.commit(connection, uploads, token=token, now=now, delete_after=delete_after),
    )
    if changed != (len(doomed), len(rescued), len(uploads)):
        msg = f"{changed} placements changed although their blobs are locked"
        raise RuntimeError(msg)
