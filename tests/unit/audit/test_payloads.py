"""What payloads become in the catalog: the JSON that readers of the audit log know."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tierkeeper.audit import artifacts, catalog, messages, placements, runs
from tierkeeper.audit.payload import Payload
from tierkeeper.audit.vocabulary import VOCABULARY
from tierkeeper.base.states import ArtifactState, PlacementState, RunState, Vouched

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIME = "2026-03-01T12:00:00+00:00"
RUN = UUID(int=7)
LIVE = ArtifactState.LIVE
TIERS = frozenset({"warm", "hot"})

STANDING = artifacts.ArtifactStanding(state=LIVE, wanted=TIERS)
COMMITTED = artifacts.CommittedStanding(state=LIVE, wanted=TIERS, present=frozenset({"warm"}))
LOOSE = placements.LooseBytes(tier="cold", location="a/b", size=3)
COPY = artifacts.CopyPlace(tier="hot", location="x/1")
AWAITING = runs.AwaitingRun(state=RunState.AWAITING_APPROVAL, counts={"stopped": 9})
KEPT = messages.KeptMessage(task="tierkeeper.store", key="k", reason="its store is away")
DECIDED = messages.DecidedMessage(task="tierkeeper.store", detail="sent again")
TRUST = catalog.CatalogTrust(trust="restored", reason="put back")
OFF = catalog.DeletesSwitch(enabled=False, reason="a look")
ON = catalog.DeletesSwitch(enabled=True, reason="done")

S: dict[str, Any] = {"state": "live", "wanted": ["hot", "warm"]}
C: dict[str, Any] = {**S, "present": ["warm"]}
P: dict[str, Any] = {"tier": "hot", "location": "x/1"}
L: dict[str, Any] = {"tier": "cold", "location": "a/b", "size": 3}
W: dict[str, Any] = {"state": "awaiting approval", "counts": {"stopped": 9}}
K: dict[str, Any] = {"task": "tierkeeper.store", "key": "k", "reason": "its store is away"}
D: dict[str, Any] = {"task": "tierkeeper.store", "detail": "sent again"}
T: dict[str, Any] = {"trust": "restored", "reason": "put back"}


CASES: list[tuple[Payload, dict[str, Any] | None, dict[str, Any] | None]] = [
    (
        artifacts.VersionStored(after=artifacts.Arrival(state=LIVE, wanted=TIERS, present={"hot"}, size=4)),
        None,
        {**S, "present": ["hot"], "size": 4},
    ),
    (
        artifacts.Promoted(before=STANDING, after=artifacts.OverriddenStanding(state=LIVE, wanted=TIERS, until=None)),
        S,
        {**S, "until": None},
    ),
    (
        artifacts.Archived(before=STANDING, after=artifacts.AskedStanding(state=LIVE, wanted=TIERS, reason="asked")),
        S,
        {**S, "reason": "asked"},
    ),
    (
        artifacts.Restored(
            before=STANDING, after=artifacts.OverriddenStanding(state=LIVE, wanted=TIERS, reason="audit", until=AT)
        ),
        S,
        {**S, "reason": "audit", "until": TIME},
    ),
    (
        artifacts.Undeleted(
            before=STANDING, after=artifacts.UndeletedStanding(state=LIVE, wanted=TIERS, not_before=AT)
        ),
        S,
        {**S, "not_before": TIME},
    ),
    (
        artifacts.Deleted(
            before=STANDING, after=artifacts.DeletedStanding(state=ArtifactState.DELETED, wanted=TIERS, purge_at=AT)
        ),
        S,
        {**S, "state": "deleted", "purge_at": TIME},
    ),
    (
        artifacts.Deleted(
            before=COMMITTED,
            after=artifacts.CommittedStanding(
                state=ArtifactState.DELETED, wanted=TIERS, present=frozenset(), retain_until=AT, approved=RUN
            ),
        ),
        C,
        {**C, "state": "deleted", "present": [], "retain_until": TIME, "approved": str(RUN)},
    ),
    (artifacts.Moved(before=COMMITTED, after=COMMITTED), C, C),
    (artifacts.Placed(before=COMMITTED, after=COMMITTED), C, C),
    (
        artifacts.Placed(after=artifacts.TakenOver(found="cold", location="a/b")),
        None,
        {"found": "cold", "location": "a/b"},
    ),
    (artifacts.Retained(before=COMMITTED, after=COMMITTED), C, C),
    (artifacts.Purged(before=COMMITTED, after=COMMITTED), C, C),
    (
        artifacts.Destroyed(after=artifacts.Receipt(sha256=b"\x01\xff", size=4, destroyed_at=AT)),
        None,
        {"sha256": "01ff", "size": 4, "destroyed_at": TIME},
    ),
    (
        artifacts.CopyNotFound(
            before=COPY, after=artifacts.MissedCopy(reason="gone", copies_left=0, looked_for_after=AT)
        ),
        P,
        {"reason": "gone", "copies_left": 0, "looked_for_after": TIME},
    ),
    (artifacts.CopyFoundAgain(after=COPY), None, P),
    (
        artifacts.CopyDamaged(before=COPY, after=artifacts.DamagedCopy(reason="changed", copies_left=1)),
        P,
        {"reason": "changed", "copies_left": 1},
    ),
    (
        artifacts.CopyDamaged(
            before=COPY, after=artifacts.DamagedCopy(reason="changed", copies_left=1, unvouched={"warm", "cold"})
        ),
        P,
        {"reason": "changed", "copies_left": 1, "unvouched": ["cold", "warm"]},
    ),
    (artifacts.CopyHealed(after=COPY), None, P),
    (
        artifacts.CopyRepinned(
            before=artifacts.NamedCopy(tier="hot", location="x/1", pin=None),
            after=artifacts.RenamedCopy(pin="v2", vouched=Vouched.READ),
        ),
        {**P, "pin": None},
        {"pin": "v2", "vouched": "read"},
    ),
    (
        artifacts.Pinned(after=artifacts.PinnedUntil(not_before=AT, reason="no")),
        None,
        {"not_before": TIME, "reason": "no"},
    ),
    (
        artifacts.ArtifactMended(after=artifacts.MendedRow(columns=("created_at",), reason="why")),
        None,
        {"columns": ["created_at"], "reason": "why"},
    ),
    (artifacts.ArtifactParked(after=artifacts.ParkReason(reason="bad")), None, {"reason": "bad"}),
    (artifacts.ArtifactRetried(after=artifacts.Resolution(detail="due now")), None, {"detail": "due now"}),
    (artifacts.ArtifactSkipped(after=artifacts.Resolution(detail="later")), None, {"detail": "later"}),
    (
        artifacts.ArtifactRebuilt(
            after=artifacts.ReturnedArtifact(state=LIVE, tier="cold", location="a/b", holds=("rebuilt",), size=3)
        ),
        None,
        {"state": "live", **L, "holds": ["rebuilt"]},
    ),
    (
        artifacts.HoldReleased(
            before=artifacts.HoldNames(holds=("b", "a")), after=artifacts.ReleasedHold(hold="b", reason="seen")
        ),
        {"holds": ["b", "a"]},
        {"hold": "b", "reason": "seen"},
    ),
    (
        placements.CopyCollected(
            before=placements.DoomedCopy(tier="hot", location="x/1", state=PlacementState.COPYING, doomed_at=None)
        ),
        {**P, "state": "copying", "doomed_at": None},
        None,
    ),
    (placements.BytesLeftOver(before=LOOSE), L, None),
    (placements.BytesLeftAside(before=LOOSE), L, None),
    (
        placements.OrphanDeleted(
            before=placements.OrphanBytes(tier="cold", location="a/b", version=None, size=3, first_seen=AT)
        ),
        {**L, "version": None, "first_seen": TIME},
        None,
    ),
    (
        runs.RunBraked(
            after=runs.StoppedPolicies(
                waits="in the schedule",
                policy="",
                reason="too many",
                pending=9,
                recent=1,
                limit=None,
                policies={"default v1": 9},
                samples=["a/b/c@1"],
            )
        ),
        None,
        {
            "waits": "in the schedule",
            "policy": "",
            "reason": "too many",
            "pending": 9,
            "recent": 1,
            "limit": None,
            "policies": {"default v1": 9},
            "samples": ["a/b/c@1"],
        },
    ),
    (
        runs.RunBraked(
            after=runs.StoppedCommand(waits="again", selection="all", reason="too many", limit=3, samples=("a",))
        ),
        None,
        {"waits": "again", "selection": "all", "reason": "too many", "limit": 3, "samples": ["a"]},
    ),
    (
        runs.RunBraked(after=runs.StoppedReconcile(reason="too much", findings={"hot": 2}, samples=[])),
        None,
        {"reason": "too much", "findings": {"hot": 2}, "samples": []},
    ),
    (
        runs.RunApproved(before=AWAITING, after=runs.RunDecision(state=RunState.APPROVED, reason="ok")),
        W,
        {"state": "approved", "reason": "ok"},
    ),
    (
        runs.RunRejected(before=AWAITING, after=runs.RunDecision(state=RunState.REJECTED, reason="no")),
        W,
        {"state": "rejected", "reason": "no"},
    ),
    (messages.DeliveryParked(after=KEPT), None, K),
    (messages.DeliveryWaits(after=KEPT), None, K),
    (messages.DeliveryRetried(after=DECIDED), None, D),
    (messages.DeliverySkipped(after=DECIDED), None, D),
    (
        catalog.DeletesSwitched(before=ON, after=OFF),
        {"enabled": True, "reason": "done"},
        {"enabled": False, "reason": "a look"},
    ),
    (
        catalog.EpochRaised(after=catalog.RaisedEpoch(epoch=3, reason="a sweep")),
        None,
        {"epoch": 3, "reason": "a sweep"},
    ),
    (catalog.RestoreRecognised(after=TRUST), None, T),
    (catalog.RestoreAccepted(after=TRUST), None, T),
    (catalog.RebuildBegun(after=TRUST), None, T),
    (catalog.CatalogRebuilt(after=TRUST), None, T),
    (
        catalog.TierAdopted(
            before=catalog.TierMarking(tier="hot", mark=None),
            after=catalog.AdoptedTier(tier="hot", mark={"format": 1}, reason="moved", lost=False),
        ),
        {"tier": "hot", "mark": None},
        {"tier": "hot", "mark": {"format": 1}, "reason": "moved", "lost": False},
    ),
    (
        catalog.TimesCleared(after=catalog.ClearedTimes(columns={"runs.seen_at": 2}, reason="a clock was ahead")),
        None,
        {"columns": {"runs.seen_at": 2}, "reason": "a clock was ahead"},
    ),
    (
        catalog.MonthDetached(
            after=catalog.DetachedEvents(month="2026-02", events=3, file="/x/y.jsonl.gz", host="a1", sha256=b"\x01\xff")
        ),
        None,
        {"month": "2026-02", "events": 3, "file": "/x/y.jsonl.gz", "host": "a1", "sha256": "01ff"},
    ),
    (
        catalog.PolicyApplied(after={"name": "p", "phases": [{"after": "0d"}]}),
        None,
        {"name": "p", "phases": [{"after": "0d"}]},
    ),
    (catalog.PolicyRemoved(before={"name": "p"}), {"name": "p"}, None),
]


@pytest.mark.parametrize(("payload", "before", "after"), CASES)
def test_a_payload_becomes_its_json(
    payload: Payload, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    """A payload becomes the keys and values that the release before stored: times, ids and states as text."""
    assert payload.as_json() == (before, after)


def test_every_word_has_a_case() -> None:
    """The table above has every payload class of the vocabulary."""
    assert {type(payload) for payload, _, _ in CASES} == set(VOCABULARY.values())
