"""Conditions that several statements share: which copies count as what, and which rows of the schedule are due.

Each is about columns of one table without an alias; a statement that joins tables has them under one name only.
"""

from typing import Final

from models.artifact import UNREADABLE_ARTIFACT

#: of ``placements``: its bytes must be there, neither being written nor being deleted
KEPT: Final = "state IN ('present', 'doomed')"
#: of ``placements``: a copy that readers may try
READABLE: Final = f"{KEPT} AND damaged_at IS NULL"
#: of ``placements``: a copy that was found damaged; a doomed one too, as reconcile and verify may find it right again
DAMAGED: Final = f"{KEPT} AND damaged_at IS NOT NULL"
#: of ``placements``: a suspect, which was not found once (R20)
SUSPECT: Final = f"{READABLE} AND missed_at IS NOT NULL"
#: of ``placements``: a copy that verify reads before it counts (R15); a damaged one is made anew instead
UNVOUCHED: Final = "state = 'present' AND vouched IS NULL AND damaged_at IS NULL"
#: of ``placements``: a copy that counts, and that verify reads again after a time
VOUCHED: Final = "state = 'present' AND vouched IS NOT NULL AND damaged_at IS NULL"

#: of ``placements``: a copy that its store refused to delete, and that is tried again
REFUSED: Final = "state = 'deleting' AND refused_since IS NOT NULL"
#: of ``artifacts``: its row breaks the gate, which migration 0016 has as a constraint
UNREADABLE: Final = UNREADABLE_ARTIFACT


def due(at: str) -> str:
    """Return, of ``schedule``: neither parked nor stopped by the brake, and due at the time of this SQL expression."""
    return f"parked_reason IS NULL AND braked_by IS NULL AND due_at <= {at}"


def unleased(at: str) -> str:
    """Return, of ``schedule``: no worker has a lease that lasts beyond the time of this SQL expression.

    Parameter ``:lease`` is the length of a lease: one that ends more than twice as far ahead was taken by a clock that
    was ahead, and is over.
    """
    return f"(lease_until IS NULL OR lease_until <= {at} OR lease_until > {at} + 2 * CAST(:lease AS interval))"
