"""Statistics of a tier's copies."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier's copies, present and doomed apart; bytes as stored.

    Of the present ones, ``unvouched`` are not vouched for and do not count yet, and ``missed`` were not found once.
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
