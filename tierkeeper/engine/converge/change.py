"""The change that a commit makes to one artifact: pure, from the decision and the settlement of its blob's copies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tierkeeper.audit.artifacts import Deleted, Moved, Placed, Purged, Retained
from tierkeeper.base.states import ArtifactState, Outcome
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.copies.fates import Settlement
from tierkeeper.policy.decision import Action, Decision
from tierkeeper.policy.rules import Policy

#: the event types of a commit
Committed = type[Deleted] | type[Moved] | type[Placed] | type[Purged] | type[Retained]


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact before and after a commit, the event type for it (None: no event), and its outcome.

    ``label``: the key under which a run counts it.
    """

    old: ArtifactRow
    new: ArtifactRow
    event: Committed | None
    outcome: Outcome
    label: str
    detail: str


def of_artifact(
    row: ArtifactRow,
    decision: Decision,
    policy: Policy,
    settled: Settlement | None,
    *,
    first: bool,
    now: datetime,
    approved: bool = False,
) -> Change:
    """Return the change of ``row``.

    ``first``: the first artifact of its blob in the batch; without another event it gets the one for changed copies.
    ``approved``: an operator approved its deletion, so the brake does not count it.
    """
    if row.state is ArtifactState.PURGED:
        return Change(row, row, None, Outcome.NOTHING, "unchanged", "")
    complete = settled is None or settled.complete
    changes, event = _advanced(row, decision, complete=complete, approved=approved, now=now)
    if event is None and first and settled is not None and settled.before != settled.present:
        event = Placed
    retained = _retained(row, decision, policy)
    if event is None and retained:
        event = Retained
    if event is not None:
        changes["revision"] = row.revision + 1
    new = row.changed(**changes, **retained, policy_id=policy.id)
    detail = "; ".join(decision.blocked) if decision.refused else ""
    if event is not None:
        return Change(row, new, event, Outcome.DONE, _label(event, new), detail)
    if decision.refused:
        return Change(row, new, event, Outcome.REFUSED, "refused", detail)
    return Change(row, new, event, Outcome.NOTHING, "unchanged", "")


def _advanced(
    row: ArtifactRow, decision: Decision, *, complete: bool, approved: bool, now: datetime
) -> tuple[dict[str, Any], Committed | None]:
    """Return the columns that change, and the event type for it."""
    if decision.action is Action.DELETE:
        deleted = {
            "state": ArtifactState.DELETED,
            "wanted": decision.tiers,
            "deleted_at": now,
            "deleted_by": None if approved else decision.cause.policy.name,
            "purge_at": decision.purge_at,
        }
        return deleted, Deleted
    if decision.action is Action.DESTROY:
        if not complete:
            return {}, None
        return {"state": ArtifactState.PURGED, "wanted": frozenset(), "purged_at": now}, Purged
    # tiers no longer wanted stay in ``wanted`` until every wanted copy is present (R9)
    wanted = decision.tiers if complete else row.wanted | decision.tiers
    return {"wanted": wanted}, Moved if wanted != row.wanted else None


def _retained(row: ArtifactRow, decision: Decision, policy: Policy) -> dict[str, Any]:
    """Return the retention columns that change: retention is only ever extended."""
    until = decision.retain_until
    if policy.retention is None or until is None or (row.retain_until is not None and until <= row.retain_until):
        return {}
    mode = row.retain_mode if row.retain_mode == "compliance" else policy.retention.mode.value
    return {"retain_until": until, "retain_mode": mode}


def _label(event: Committed, new: ArtifactRow) -> str:
    if event is Moved:
        return f"promoted_to_{'_and_'.join(sorted(new.wanted))}"
    return event.type.value
