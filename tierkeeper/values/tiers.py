"""Statistics of a tier's copies."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier's copies, present and doomed apart; bytes as stored.

    ``unvouched``: the present ones that do not count until verify has read them; ``missed``: those of both that were
    not found once. Damaged ones are neither. ``refused``: copies, and orphans where all tenants are counted, that the
    store refuses to delete. ``retrying``: artifacts whose last try failed at this tier, by the error's code. ``exact``:
    False where copies and bytes are estimated, as those of a large catalog are (``tenants`` is None then), or where
    only some of very many refused orphans or failed artifacts were counted.
    """

    tier: str
    temperature: str
    present: int
    present_bytes: int
    doomed: int
    doomed_bytes: int
    tenants: int | None
    unvouched: int
    missed: int
    refused: int = 0
    retrying: Mapping[str, int] = field(default_factory=dict)
    exact: bool = True
