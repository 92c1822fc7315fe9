"""What is wanted of an artifact, when, and why."""

from datetime import timedelta
from typing import Any

import pytest
from unit.policy.samples import NOW, PHASES, TIERS, WEEK, facts, phase, policy, tier_set

from tierkeeper.base.states import ArtifactState, OverrideKind, WriteStrategy
from tierkeeper.policy.decide import (
    Action,
    Decision,
    Facts,
    Override,
    decide,
    entry_tiers,
    first_written,
    next_phase_start,
)
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Policy

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FOREVER = policy(phases=PHASES[:3])
RESTORED = Override(OverrideKind.ADD, tier_set("hot"), NOW + 3 * DAY)
PROMOTED = Override(OverrideKind.REPLACE, tier_set("hot"), NOW + 3 * DAY)
ARCHIVED = Override(OverrideKind.REPLACE, tier_set("cold"), None)


def decided(artifact: Facts, by: Policy | None = None) -> Decision:
    """Return what is decided now."""
    return decide(artifact, by or policy(), now=NOW, default_undo=WEEK)


@pytest.mark.parametrize(
    ("age", "by", "action", "tiers", "due", "step"),
    [
        # a new one is where it entered
        (0, policy(), "keep", {"hot"}, 7, "move to warm"),
        # the last second before a phase
        (7 - SECOND / DAY, policy(), "keep", {"hot"}, SECOND / DAY, "move to warm"),
        # a phase begins at exactly its age
        (7, policy(), "keep", {"warm"}, 23, "move to cold"),
        # the last phase before the purge
        (30, policy(), "keep", {"cold"}, 60, "purge"),
        # purged at exactly the age: what was wanted stays so for the undo window
        (90, policy(), "delete", {"hot"}, 7, "destroy"),
        # far behind, it goes straight to where it belongs now
        (45, policy(), "keep", {"cold"}, 45, "purge"),
        # without a purge phase nothing ever comes
        (4000, FOREVER, "keep", {"cold"}, None, "nothing"),
        # a phase of several tiers
        (
            0,
            policy(phases=(phase("0d", "records", "cold"), phase("90d", "cold"))),
            "keep",
            {"records", "cold"},
            90,
            "move to cold",
        ),
        # a birth in the future is the first phase
        (-5, policy(), "keep", {"hot"}, 12, "move to warm"),
        # the policy's own undo window
        (90, policy(undo=Duration(days=1)), "delete", {"hot"}, 1, "destroy"),
        # no undo window at all
        (90, policy(undo=Duration()), "delete", {"hot"}, 0, "destroy"),
    ],
)
def test_phases(age: float, by: Policy, action: str, tiers: set[str], due: float | None, step: str) -> None:
    """The phase that the age has reached says where an artifact belongs, and the next one when it is due."""
    decision = decided(facts(age), by)
    assert decision.action == action
    assert decision.tiers == tiers
    assert decision.next_step == step
    assert decision.next_due == (None if due is None else NOW + due * DAY)
    assert not decision.blocked
    assert not decision.refused


@pytest.mark.parametrize(
    ("age", "override", "tiers", "due", "step"),
    [
        # a restore adds a tier until its end, then the phase's tiers are back
        (40, RESTORED, {"cold", "hot"}, 3, "return to cold"),
        # a phase that begins meanwhile is joined
        (29, RESTORED, {"warm", "hot"}, 1, "move to cold + hot"),
        # a promote replaces, and hides the phase that begins meanwhile
        (29, PROMOTED, {"hot"}, 3, "return to cold"),
        # an archive is for good: the next that comes is the purge
        (1, ARCHIVED, {"cold"}, 89, "purge"),
        # an override that ended counts no more, from its very end on
        (40, Override(OverrideKind.ADD, tier_set("hot"), NOW), {"cold"}, 50, "purge"),
    ],
)
def test_overrides(age: float, override: Override, tiers: set[str], due: float, step: str) -> None:
    """An override joins or replaces the tiers of the phase until it ends, and moves no purge."""
    decision = decided(facts(age, override=override))
    assert decision.action is Action.KEEP
    assert decision.tiers == tiers
    assert decision.next_step == step
    assert decision.next_due == NOW + due * DAY


@pytest.mark.parametrize("override", [RESTORED, PROMOTED, ARCHIVED])
def test_override_saves_nothing(override: Override) -> None:
    """In a purge phase an override does not keep the artifact."""
    assert decided(facts(90, override=override)).action is Action.DELETE


@pytest.mark.parametrize(
    ("newer", "action"),
    [
        # as many newer ones as are kept, this one is one too many
        (2, "delete"),
        (5, "delete"),
        # it is among the kept
        (1, "keep"),
    ],
)
def test_versions(newer: int, action: str) -> None:
    """The versions above the number kept are deleted, the oldest first."""
    decision = decided(facts(1, newer_live=newer), policy(versions_keep=2))
    assert decision.action == action
    if action == "delete":
        assert decision.rule == "default v1: versions keep 2"
        assert decision.purge_at == NOW + 7 * DAY


def deleted(**changes: Any) -> Facts:  # noqa: ANN401  any field
    """Return an artifact that is deleted since six days."""
    return facts(100, **({"state": ArtifactState.DELETED, "purge_at": NOW + DAY} | changes))


@pytest.mark.parametrize(
    ("artifact", "action", "tiers", "due", "blocked"),
    [
        # inside the undo window its tiers are frozen, whatever the phase or an override says
        (deleted(override=PROMOTED, wanted=tier_set("warm")), "keep", {"warm"}, 1, ()),
        # a pin does not delay what a person deleted
        (deleted(purge_at=NOW, not_before=NOW + DAY), "destroy", set(), None, ()),
        # the window ends at exactly purge_at
        (deleted(purge_at=NOW), "destroy", set(), None, ()),
        # a hold that came later
        (deleted(purge_at=NOW, holds=("a",)), "keep", {"hot"}, None, ('hold "a"',)),
        # a hold inside the window: it is looked at again at the end of the window
        (deleted(holds=("a",)), "keep", {"hot"}, 1, ('hold "a"',)),
        # a retention that came later
        (
            deleted(purge_at=NOW, retain_until=NOW + 2 * DAY),
            "keep",
            {"hot"},
            2,
            ("retention until 2025-06-03 12:00 UTC",),
        ),
        # a retention that ends after the window
        (deleted(retain_until=NOW + 2 * DAY), "keep", {"hot"}, 2, ("retention until 2025-06-03 12:00 UTC",)),
        # a retention that ends inside the window
        (deleted(retain_until=NOW + DAY / 2), "keep", {"hot"}, 1, ()),
    ],
)
def test_deleted(artifact: Facts, action: str, tiers: set[str], due: float | None, blocked: tuple[str, ...]) -> None:
    """A deleted artifact keeps its tiers until purge_at, then it is wanted nowhere unless something protects it."""
    decision = decided(artifact)
    assert decision.action == action
    assert decision.tiers == tiers
    assert decision.blocked == blocked
    assert decision.next_due == (None if due is None else NOW + due * DAY)
    assert decision.purge_at == artifact.purge_at
    assert decision.refused == (artifact.purge_at == NOW and bool(blocked))


def test_purged() -> None:
    """Nothing is ever wanted of a purged artifact again."""
    decision = decided(facts(100, state=ArtifactState.PURGED, purge_at=NOW))
    assert decision.action is Action.NONE
    assert decision.tiers == frozenset()
    assert decision.next_due is None
    assert decision.rule == "purged"
    assert decision.reason == "It was purged and is gone for good."


@pytest.mark.parametrize(
    ("metadata", "action", "due"),
    [
        # a longer life than the policy's, in calendar years
        ({"retention_override": "7_years"}, "keep", NOW.replace(year=2032) - 91 * DAY - NOW),
        ({"retention_override": "P7Y"}, "keep", NOW.replace(year=2032) - 91 * DAY - NOW),
        ({"retention_override": "92d"}, "keep", DAY),
        # never a shorter one
        ({"retention_override": "10d"}, "delete", 7 * DAY),
        ({"retention_override": None}, "delete", 7 * DAY),
        # one that has ended
        ({"retention_override": "91d"}, "delete", 7 * DAY),
    ],
)
def test_retention_override(metadata: dict[str, Any], action: str, due: timedelta) -> None:
    """The artifact's own retention_override puts its purge off, never forward."""
    decision = decided(facts(91, metadata=metadata))
    assert decision.action == action
    assert decision.next_due is not None
    assert abs(decision.next_due - NOW - due) < timedelta(days=2)  # leap days on the way


def test_retention_override_leaves_phases() -> None:
    """With a retention_override the other phases begin when they always did, and without a purge nothing changes."""
    assert decided(facts(30, metadata={"retention_override": "P7Y"})).tiers == {"cold"}
    assert decided(facts(900, metadata={"retention_override": "P7Y"}), FOREVER).next_due is None


def test_retention_override_is_named() -> None:
    """A purge that retention_override moved says so."""
    decision = decided(facts(100, metadata={"retention_override": "95d"}))
    assert decision.rule == "default v1: phase 90d, moved to 95d by retention_override"
    assert "reached the age of 95d" in decision.reason


@pytest.mark.parametrize("value", ["some day", 7, {"years": 7}])
def test_unreadable_retention_override(value: object) -> None:
    """An unreadable retention_override stops the purge only, and says so."""
    decision = decided(facts(100, metadata={"retention_override": value}))
    assert decision.action is Action.KEEP
    assert decision.tiers == {"cold"}
    assert decision.next_due is None
    assert "retention_override" in decision.blocked[0]


BY_DATE = policy(clock="metadata:signed")


@pytest.mark.parametrize(
    ("signed", "tiers"),
    [
        # a date is its first moment in UTC
        ("2025-05-25", {"warm"}),
        # a moment with its zone
        ("2025-05-25T14:00:01+02:00", {"hot"}),
        ("2025-05-25T12:00:00Z", {"warm"}),
        # a date to come
        ("2040-01-01", {"hot"}),
    ],
)
def test_metadata_clock(signed: str, tiers: set[str]) -> None:
    """The age can count from a date in the metadata."""
    assert decided(facts(500, metadata={"signed": signed}), BY_DATE).tiers == tiers


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"signed": None},
        {"signed": 20250525},
        {"signed": "soon"},
        {"signed": "2025-05-25T12:00:00"},
        {"signed": "0001-01-01T00:00+05:00"},
    ],
)
def test_unreadable_clock(metadata: dict[str, Any]) -> None:
    """Where the age cannot be told no phase runs, the tiers stay, and the decision says why."""
    decision = decided(facts(500, metadata=metadata, wanted=tier_set("warm")), BY_DATE)
    assert decision.action is Action.KEEP
    assert decision.tiers == {"warm"}
    assert decision.next_due is None
    assert decision.clock is None
    assert "signed" in decision.blocked[0]
    assert decision.refused
    assert decision.rule == "default v1: clock metadata:signed"
    assert decision.reason == "Its age cannot be told, so no phase runs and it stays in warm."


def test_accessed_clock() -> None:
    """The age can count from the last access, or from the creation while nobody read it."""
    by = policy(clock="accessed")
    assert decided(facts(40), by).tiers == {"cold"}
    assert decided(facts(40, accessed_at=NOW - 8 * DAY), by).tiers == {"warm"}


@pytest.mark.parametrize(
    ("artifact", "rule", "reason"),
    [
        (facts(8), "default v1: phase 7d", "From an age of 7d on it belongs in warm."),
        (
            facts(90),
            "default v1: phase 90d",
            (
                "It has reached the age of 90d, from which on it is wanted nowhere; "
                "it can be undeleted until 2025-06-08 12:00 UTC."
            ),
        ),
        (
            facts(40, override=RESTORED),
            "restore until 2025-06-04 12:00 UTC",
            "Somebody asked for it in cold + hot until 2025-06-04 12:00 UTC.",
        ),
        (facts(1, override=ARCHIVED), "moved by hand for good", "Somebody asked for it in cold for good."),
        (
            facts(100, holds=("a",)),
            "default v1: phase 30d",
            "It is to be purged, but is protected, so it stays in cold.",
        ),
        (
            deleted(),
            "deleted, purged at 2025-06-02 12:00 UTC",
            "It is deleted; its copies stay in hot while it can be undeleted or is protected.",
        ),
        (
            deleted(purge_at=NOW),
            "deleted, purged at 2025-06-01 12:00 UTC",
            "Its undo window is over and nothing protects it: it is wanted nowhere.",
        ),
    ],
)
def test_words(artifact: Facts, rule: str, reason: str) -> None:
    """A decision names its rule with the policy's version and gives its reason in a sentence."""
    decision = decided(artifact)
    assert decision.rule == rule
    assert decision.reason == reason


def test_versions_in_words() -> None:
    """A surplus version is told how many are kept."""
    reason = decided(facts(1, newer_live=25), policy(versions_keep=25)).reason
    assert reason.startswith("There are 25 or more newer versions of it, and no more are kept; ")


@pytest.mark.parametrize(
    ("write", "first"),
    [
        (WriteStrategy.ALL, {"records", "cold"}),
        (WriteStrategy.HOTTEST, {"records"}),
        (WriteStrategy.COLDEST, {"cold"}),
    ],
)
def test_first_written(write: WriteStrategy, first: set[str]) -> None:
    """The write strategy says which of the wanted copies exist before store returns."""
    assert first_written(policy(write=write), tier_set("records", "cold"), TIERS) == first


def test_entry() -> None:
    """New artifacts enter in the first phase, and the next phase's start is known from there."""
    assert entry_tiers(policy()) == {"hot"}
    assert next_phase_start(policy(), facts(1), NOW) == NOW + 6 * DAY
    assert next_phase_start(policy(), facts(31), NOW) == NOW + 59 * DAY
    assert next_phase_start(FOREVER, facts(31), NOW) is None
