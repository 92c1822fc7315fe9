"""The allowed state transitions of artifacts, placements and runs; None stands for no row.

Tests compare them, both ways, with the catalog's statements about placements and runs, each of which names the state
that it starts from, and with the changes that commits and verbs make to artifacts.
"""

from typing import Final

from tierkeeper.base.states import ArtifactState, PlacementState, RunState

ARTIFACT: Final = frozenset[tuple[ArtifactState | None, ArtifactState | None]](
    {
        (None, ArtifactState.LIVE),  # stored, or found in a store by a rebuild
        (ArtifactState.LIVE, ArtifactState.DELETED),  # by the verb purge, a purge phase, or as a surplus version
        (ArtifactState.DELETED, ArtifactState.LIVE),  # undelete (R10)
        (ArtifactState.DELETED, ArtifactState.PURGED),  # the undo window is over; irrevocable, and the row stays
    }
)

PLACEMENT: Final = frozenset[tuple[PlacementState | None, PlacementState | None]](
    {
        (None, PlacementState.COPYING),  # intended, before the first byte (R1)
        (None, PlacementState.PRESENT),  # bytes found in a store and adopted
        (None, PlacementState.DOOMED),  # bytes found in a store where a good copy is present
        (PlacementState.COPYING, PlacementState.PRESENT),  # the commit (R2)
        (PlacementState.COPYING, PlacementState.DOOMED),  # an upload that lost (R5)
        (PlacementState.COPYING, PlacementState.DELETING),  # a stale intent (R3)
        (PlacementState.COPYING, None),  # dropped by a rebuild or an accepted restore: the bytes may be committed
        (PlacementState.PRESENT, PlacementState.DOOMED),  # no longer wanted, or replaced
        (PlacementState.DOOMED, PlacementState.PRESENT),  # rescued
        (PlacementState.DOOMED, PlacementState.DELETING),  # the decision point of a delete (R11)
        (PlacementState.DELETING, PlacementState.DELETING),  # repeated by another collect
        (PlacementState.DELETING, PlacementState.DOOMED),  # taken back by a rebuild
        (PlacementState.DELETING, None),  # the bytes are gone
    }
)

RUN: Final = frozenset[tuple[RunState | None, RunState | None]](
    {
        (None, RunState.RUNNING),
        (None, RunState.AWAITING_APPROVAL),  # what the brake stopped
        (RunState.RUNNING, RunState.RUNNING),  # a rotation that another of its messages took up meanwhile
        (RunState.RUNNING, RunState.DONE),
        (RunState.RUNNING, RunState.FAILED),
        (RunState.RUNNING, RunState.AWAITING_APPROVAL),  # a reconcile that stopped itself
        (RunState.RUNNING, RunState.ABANDONED),  # no sign of life for minutes
        (RunState.FAILED, RunState.RUNNING),  # a recompute that is continued from its cursor
        (RunState.ABANDONED, RunState.RUNNING),  # a rotation whose message waited in its queue for long
        (RunState.AWAITING_APPROVAL, RunState.APPROVED),
        (RunState.AWAITING_APPROVAL, RunState.REJECTED),
        (RunState.AWAITING_APPROVAL, RunState.DONE),  # no approval is needed any more
        (RunState.APPROVED, RunState.DONE),  # the approval is used up
        (RunState.AWAITING_APPROVAL, None),  # its command, or reconcile, did not come again for `runs_kept`
        (RunState.APPROVED, None),  # as that
        (RunState.DONE, None),  # dropped by maintain after `runs_kept`, as every ended run
        (RunState.FAILED, None),
        (RunState.ABANDONED, None),
        (RunState.REJECTED, None),
    }
)
