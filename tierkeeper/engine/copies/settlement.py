"""What the copies of one blob become, given what is wanted of it: decided and written under the blob's lock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import placements
from tierkeeper.catalog.placements import Upload
from tierkeeper.catalog.rows import PlacementRow


def good(placement: PlacementRow) -> bool:
    """A copy that counts (R15, R20): present, and sound."""
    return placement.state is PlacementState.PRESENT and _sound(placement)


def rescuable(placement: PlacementRow) -> bool:
    """A doomed copy that may be present again: a sound one."""
    return placement.state is PlacementState.DOOMED and _sound(placement)


def lacking(wanted: Collection[str], copies: Iterable[PlacementRow]) -> set[str]:
    """Return the wanted tiers that have neither a copy that counts nor one that can be rescued."""
    return set(wanted) - {p.tier for p in copies if good(p) or rescuable(p)}


def doubtful(wanted: Collection[str], copies: Sequence[PlacementRow]) -> list[PlacementRow]:
    """Return the copies in lacking tiers that would count, or could be rescued, if somebody vouched for them."""
    missing = lacking(wanted, copies)
    readable = [p for p in copies if p.tier in missing and p.readable and not p.suspect]
    return [p for p in readable if p.vouched is None and not p.name_purged]


def held_up(copies: Iterable[PlacementRow]) -> set[str]:
    """Return the tiers whose present copy is a suspect, which is not replaced before the second look (R20)."""
    return {p.tier for p in copies if p.suspect and p.state is PlacementState.PRESENT}


def sources(copies: Iterable[PlacementRow]) -> list[PlacementRow]:
    """Return what a copy can be made from: vouched ones first, then present ones; doomed ones too, and no suspects."""
    readable = [p for p in copies if p.readable and not p.suspect]
    return sorted(readable, key=lambda p: (p.vouched is None, p.state is not PlacementState.PRESENT))


def _sound(placement: PlacementRow) -> bool:
    """Undamaged, no suspect, vouched for, and under a name that was not purged."""
    undoubted = placement.damaged_at is None and placement.missed_at is None and placement.vouched is not None
    return undoubted and not placement.name_purged


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a commit does to one blob's copies. Nothing is doomed for being unwanted unless ``complete``."""

    uploads: tuple[tuple[Upload, PlacementState], ...]
    rescued: tuple[UUID, ...]
    doomed: tuple[UUID, ...]
    complete: bool
    before: frozenset[str]  # tiers with a present copy
    present: frozenset[str]  # the same afterwards
    missed: datetime | None = None  # what is lacking waits for the second look at a copy that was missed then


def settle(
    wanted: Collection[str],
    copies: Sequence[PlacementRow],
    uploads: Iterable[Upload],
    *,
    token: UUID,
    here: Collection[str],
) -> Settlement:
    """Decide the fate of our vouched uploads and of every other copy of the blob; ``here``: the configured tiers.

    An upload that is no longer ``copying`` with our token was taken away (collected) or committed by an earlier try
    of this transaction: it is left as it is (R2).
    """
    rows = {p.id: p for p in copies}
    present = {p.tier: p for p in copies if p.state is PlacementState.PRESENT}
    before = frozenset(present)
    counts = {tier for tier, p in present.items() if good(p)}
    fates: list[tuple[Upload, PlacementState]] = []
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
        missed=None if complete else _missed(set(wanted) - counts, copies, here=here),
    )


def _missed(lacking_: Collection[str], copies: Sequence[PlacementRow], *, here: Collection[str]) -> datetime | None:
    """Return since when suspects are all that is lacking, or all that it can be made from; None where they are not.

    One in a tier that is not configured is waited for by nobody: nobody can look at it.
    """
    if sources(copies) and not held_up(copies) >= set(lacking_):
        return None
    seen = [p for p in copies if p.suspect and p.tier in here]
    return min((p.missed_at for p in seen if p.missed_at is not None), default=None)


def write(
    connection: sa.Connection, settled: Collection[Settlement], *, token: UUID, now: datetime, grace: timedelta
) -> None:
    """Write these fates. Dooming comes first: a tier has one present copy at any moment.

    The row counts must match (R2): under the blob locks nothing else can have changed these rows.
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
