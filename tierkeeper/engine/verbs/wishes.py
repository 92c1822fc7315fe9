"""The wish of each verb for one artifact: pure. Raises an error where the verb is refused; then nothing changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tierkeeper.audit.artifacts import (
    Archived,
    ArtifactPayload,
    ArtifactStanding,
    AskedStanding,
    Deleted,
    DeletedStanding,
    OverriddenStanding,
    Promoted,
    Restored,
    Undeleted,
    UndeletedStanding,
)
from tierkeeper.base.errors import (
    AlreadyThere,
    ArtifactDeleted,
    ArtifactPurged,
    HeldArtifact,
    NotDeleted,
    RetentionLocked,
    UnreadableRow,
)
from tierkeeper.base.states import ArtifactState, OverrideKind
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decide import entry_tiers
from tierkeeper.policy.decision import listed, when
from tierkeeper.policy.rules import Policy
from tierkeeper.policy.tiers import TierInfo, coldest, hottest
from tierkeeper.settings.groups import EngineSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """One artifact that a verb is applied to, with its moment, the tiers of its copies, and the caller's reason.

    ``several``: the verb applies to all versions, so a version with nothing to do is no error.
    """

    row: ArtifactRow
    moment: Moment
    present: frozenset[str]
    tiers: Sequence[TierInfo]
    settings: EngineSettings
    several: bool = False
    reason: str | None = None

    @property
    def standing(self) -> ArtifactStanding:
        """The artifact's state and wanted tiers before the verb."""
        return ArtifactStanding(state=self.row.state, wanted=self.row.wanted)

    @property
    def now(self) -> datetime:
        """The time of the moment."""
        return self.moment.now

    @property
    def policy(self) -> Policy:
        """The policy that governs the artifact."""
        return self.moment.policies.governing(self.row.subject)


@dataclass(frozen=True, slots=True)
class Wish:
    """The artifact after the verb and the event for it (None: there is nothing to do); the tiers wanted then.

    ``due_at``: when the next step is due (None: now).
    """

    new: ArtifactRow
    wanted: frozenset[str]
    event: ArtifactPayload | None
    detail: str
    step: str = "converge"
    due_at: datetime | None = None


def promote(asked: Asked, to_tier: str) -> Wish:
    """Want only this tier until the next phase begins; AlreadyThere if nothing changes, unless ``several``."""
    row = _live(asked)
    target = frozenset({to_tier})
    until = asked.moment.next_phase(row)
    if row.wanted == target and asked.present == target:
        if asked.several:
            return _nothing(row, f"already in {to_tier}")
        raise AlreadyThere(ref=row.ref, tier=to_tier)
    new = replace(row, override_kind=OverrideKind.REPLACE.value, override_tiers=target, override_until=until)
    detail = f"to {to_tier} {_until(until)}, instead of {listed(row.wanted)}"
    after = OverriddenStanding(state=row.state, wanted=target, reason=_reason(asked), until=until)
    return Wish(new, target, Promoted(before=asked.standing, after=after), detail, step=f"move to {to_tier}")


def archive(asked: Asked) -> Wish:
    """Want only the coldest tier that is no database, for good."""
    row = _live(asked)
    tier = coldest([t.name for t in asked.tiers if not t.is_database], asked.tiers)
    target = frozenset({tier})
    if row.archived_tiers == target and row.override_tiers is None:
        return _nothing(row, f"already archived in {tier}")
    new = replace(row, archived_tiers=target, override_kind=None, override_tiers=None, override_until=None)
    after = AskedStanding(state=row.state, wanted=target, reason=_reason(asked))
    event = Archived(before=asked.standing, after=after)
    return Wish(new, target, event, f"to {tier} for good, instead of {listed(row.wanted)}", f"move to {tier}")


def restore(asked: Asked, to_tier: str | None, days: float | None) -> Wish:
    """Add a tier for ``days``, or for good; by default the hottest of the policy's entry tiers."""
    row = _live(asked)
    files = [t.name for t in asked.tiers if not t.is_database]
    tier = to_tier or hottest(entry_tiers(asked.policy) or files, asked.tiers)
    until = None if days is None else asked.now + timedelta(days=days)
    new = replace(row, override_kind=OverrideKind.ADD.value, override_tiers=frozenset({tier}), override_until=until)
    wanted = asked.moment.decide(new).tiers
    after = OverriddenStanding(state=row.state, wanted=wanted, reason=_reason(asked), until=until)
    event = Restored(before=asked.standing, after=after)
    return Wish(new, wanted, event, f"also in {tier} {_until(until)}", f"copy to {tier}")


def purge(asked: Asked) -> Wish:
    """Delete: the undo window begins, and the copies stay until it ends.

    Raises HeldArtifact, RetentionLocked, ArtifactPurged.
    """
    row = asked.row
    if row.state is ArtifactState.PURGED:
        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))
    if row.state is ArtifactState.DELETED:
        return _nothing(row, f"already deleted; gone from {when(row.purge_at)}")
    if row.opaque:
        raise UnreadableRow(ref=row.ref, columns=", ".join(row.opaque))
    if asked.moment.protects(row):
        if row.holds:
            raise HeldArtifact(ref=row.ref, holds=", ".join(row.holds))
        until = asked.moment.retained_until(row)
        mode = row.retain_mode or (asked.policy.retention.mode.value if asked.policy.retention else "")
        raise RetentionLocked(ref=row.ref, mode=mode, until=when(until))
    purge_at = asked.moment.undo_end(row)
    new = replace(row, state=ArtifactState.DELETED, deleted_at=asked.now, purge_at=purge_at)
    detail = f"can be undeleted until {when(purge_at)}"
    after = DeletedStanding(state=ArtifactState.DELETED, wanted=row.wanted, reason=_reason(asked), purge_at=purge_at)
    return Wish(new, row.wanted, Deleted(before=asked.standing, after=after), detail, "destroy", due_at=purge_at)


def undelete(asked: Asked) -> Wish:
    """Make live again; no policy deletes the artifact for the time of ``engine.undelete_pin``.

    Raises NotDeleted, unless ``several``; ArtifactPurged.
    """
    row = asked.row
    if row.state is ArtifactState.PURGED:
        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))
    if row.state is ArtifactState.LIVE:
        if asked.several:
            return _nothing(row, "not deleted")
        raise NotDeleted(ref=row.ref, state=row.state.value)
    not_before = asked.now + asked.settings.undelete_pin
    new = replace(row, state=ArtifactState.LIVE, deleted_at=None, deleted_by=None, purge_at=None, not_before=not_before)
    wanted = asked.moment.decide(new).tiers
    detail = f"live again; no policy deletes it before {when(not_before)}"
    after = UndeletedStanding(state=ArtifactState.LIVE, wanted=wanted, reason=_reason(asked), not_before=not_before)
    return Wish(new, wanted, Undeleted(before=asked.standing, after=after), detail)


def _live(asked: Asked) -> ArtifactRow:
    row = asked.row
    if row.state is ArtifactState.DELETED:
        raise ArtifactDeleted(ref=row.ref, until=when(row.purge_at))
    if row.state is ArtifactState.PURGED:
        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))
    return row


def _nothing(row: ArtifactRow, detail: str) -> Wish:
    return Wish(row, row.wanted, None, detail)


def _until(moment: datetime | None) -> str:
    return "for good" if moment is None else f"until {when(moment)}"


def _reason(asked: Asked) -> str | None:
    return asked.reason or None
