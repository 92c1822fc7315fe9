"""What holds for every policy and every artifact."""

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from unit.policy.samples import NOW, TIERS, WEEK, facts, policy

from tierkeeper.base.states import ArtifactState, OverrideKind, RetentionMode, WriteStrategy
from tierkeeper.policy.decide import Action, Facts, Override, decide, next_phase_start, protects
from tierkeeper.policy.document import from_document, parse, to_document, to_yaml
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Phase, Policy, Retention

NAMES = st.sampled_from([tier.name for tier in TIERS])
SOME = st.frozensets(NAMES, min_size=1)
MOMENTS = st.integers(-400 * 24, 400 * 24).map(lambda hours: NOW + timedelta(hours=hours))
WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy that could be applied, retention aside."""
    ages = sorted(draw(st.sets(st.integers(1, 500), max_size=4)))
    phases = [Phase(Duration(days=age), draw(SOME)) for age in (0, *ages)]
    if draw(st.booleans()):
        phases.append(Phase(Duration(days=(ages or [0])[-1] + draw(st.integers(1, 200))), frozenset()))
    retention = st.builds(
        Retention, mode=st.sampled_from(RetentionMode), period=st.builds(Duration, days=st.integers(1, 900)), tiers=SOME
    )
    return policy(
        phases=tuple(phases),
        clock=draw(st.sampled_from(["created", "accessed", "metadata:signed"])),
        write=draw(st.sampled_from(WriteStrategy)),
        retention=draw(st.none() | retention),
        versions_keep=draw(st.none() | st.integers(1, 5)),
        undo=draw(st.none() | st.builds(Duration, days=st.integers(0, 30))),
    )


@st.composite
def artifacts(draw: st.DrawFn) -> Facts:
    """Draw an artifact in any state."""
    override = st.builds(Override, kind=st.sampled_from(OverrideKind), tiers=SOME, until=st.none() | MOMENTS)
    metadata = st.fixed_dictionaries(
        {},
        optional={
            "signed": st.sampled_from(["2024-06-01", "2025-05-30", "never", 7]),
            "retention_override": st.sampled_from(["10d", "7_years", "no", None]),
        },
    )
    state = draw(st.sampled_from([ArtifactState.LIVE, ArtifactState.LIVE, ArtifactState.DELETED]))
    return facts(
        draw(st.integers(0, 900)),
        state=state,
        accessed_at=draw(st.none() | MOMENTS),
        metadata=draw(metadata),
        wanted=draw(SOME),
        purge_at=draw(MOMENTS) if state is ArtifactState.DELETED else None,
        not_before=draw(st.none() | MOMENTS),
        retain_until=draw(st.none() | MOMENTS),
        override=draw(st.none() | override),
        holds=draw(st.sampled_from([(), (), ("a",)])),
        newer_live=draw(st.integers(0, 6)),
    )


@given(artifacts(), policies())
def test_nothing_protected_goes(artifact: Facts, by: Policy) -> None:
    """Nothing is deleted or destroyed that a hold or a retention protects."""
    decision = decide(artifact, by, now=NOW, default_undo=WEEK)
    if protects(artifact, by, NOW):
        assert decision.action is Action.KEEP
        assert decision.tiers


@given(artifacts(), policies())
def test_nothing_goes_early(artifact: Facts, by: Policy) -> None:
    """Only an artifact in its purge phase or a surplus version is deleted, only after purge_at is it destroyed."""
    decision = decide(artifact, by, now=NOW, default_undo=WEEK)
    surplus = by.versions_keep is not None and artifact.newer_live >= by.versions_keep
    if decision.action is Action.DELETE and not surplus:
        last = by.phases[-1]
        assert not last.tiers
        assert decision.clock is not None
        assert last.after.after(decision.clock) <= NOW
    if decision.action is Action.DELETE:
        assert artifact.state is ArtifactState.LIVE
        assert artifact.not_before is None or artifact.not_before <= NOW
        assert decision.purge_at == (by.undo or WEEK).after(NOW) == decision.next_due
    if decision.action is Action.DESTROY:
        assert artifact.purge_at is not None
        assert artifact.purge_at <= NOW


@given(artifacts(), policies())
def test_kept_is_somewhere_and_due_later(artifact: Facts, by: Policy) -> None:
    """What is kept is wanted somewhere, is due in the future or never, and has its words."""
    decision = decide(artifact, by, now=NOW, default_undo=WEEK)
    assert decision.rule
    assert decision.reason.endswith(".")
    assert decision.next_step
    if decision.action is Action.KEEP:
        assert decision.tiers
        assert decision.next_due is None or decision.next_due > NOW
        assert not decision.refused or decision.blocked


@given(artifacts(), policies())
def test_quiet_until_due(artifact: Facts, by: Policy) -> None:
    """Until it is due again, nothing else is wanted of an artifact that nobody touches."""
    decision = decide(artifact, by, now=NOW, default_undo=WEEK)
    if decision.action is Action.KEEP and decision.next_due is not None:
        just_before = decision.next_due - timedelta(microseconds=1)
        later = decide(artifact, by, now=just_before, default_undo=WEEK)
        assert (later.action, later.tiers) == (decision.action, decision.tiers)


@given(artifacts(), policies())
def test_promote_ends_where_the_phase_begins(artifact: Facts, by: Policy) -> None:
    """The next phase always begins in the future."""
    start = next_phase_start(by, artifact, NOW)
    assert start is None or start > NOW


MATCHES = st.builds(
    Match,
    tenant=st.none() | st.sampled_from(["acme", "2024", "yes", "null"]),
    workflow=st.none() | st.sampled_from(["w", "weekly_*", "[a-c]?"]),
    name=st.none() | st.sampled_from(["*.md", "a/b", "* - x"]),
    tags=st.dictionaries(WORDS, WORDS, max_size=3).map(lambda tags: tuple(sorted(tags.items()))),
    content_type=st.none() | st.sampled_from(["text/*", "application/json"]),
    size_min=st.none() | st.integers(0, 1000),
    size_max=st.none() | st.integers(1000, 1 << 50),
)


@given(policies(), MATCHES)
def test_document_round_trip(by: Policy, match: Match) -> None:
    """Every policy reads back from its jsonb document and from its YAML as itself."""
    whole = policy(
        match=match,
        clock=by.clock,
        write=by.write,
        phases=by.phases,
        versions_keep=by.versions_keep,
        undo=by.undo,
        version=0,
    )
    document = json.loads(json.dumps(to_document(whole)))
    assert from_document(document, name=whole.name, version=0) == whole
    assert parse(to_yaml(whole), source="a", tiers=TIERS) == [whole]
