"""Statistics of a tier's copies."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier's copies, present and doomed apart; bytes as stored.

    ``unvouched``: the present ones that do not count until verify has read them; ``missed``: those of both that were
    not found once. Damaged ones are neither.
    """

    tier: str
    temperature: str
    present: int
    present_bytes: int
    doomed: int
    doomed_bytes: int
    tenants: int
    unvouched: int
    missed: int
