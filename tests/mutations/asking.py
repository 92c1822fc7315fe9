"""Tiers are asked what is needed of them, and no longer than that is worth."""

from mutations.mutant import Edit, Mutant

_FOUNDING = "tests/integration/engine/operations/test_founding.py::"
_DOCUMENTS = "tests/unit/policy/test_document.py::"
_POLICIES = "tests/integration/engine/policies/test_policies.py::"

ASKING = (
    Mutant(
        "asking",
        "a start waits for each tier as long as its store does",
        (
            Edit(
                "tierkeeper/engine/operations/probing.py",
                "answer.get(timeout=max(0.0, until - time.monotonic()))",
                "answer.get(timeout=None)",
            ),
        ),
        (f"{_FOUNDING}test_a_start_waits_for_all_tiers_no_longer_than_a_probe",),
    ),
    Mutant(
        "asking",
        "each start asks whether tiers lock",
        (
            Edit(
                "tierkeeper/engine/policies/in_force.py",
                "_built_in(engine.settings, [replace(tier, can_lock=True) for tier in engine.tiers])",
                "_built_in(engine.settings, engine.tiers)",
            ),
        ),
        (f"{_FOUNDING}test_a_start_asks_for_locks_only_where_a_built_in_policy_changes",),
    ),
    Mutant(
        "asking",
        "retention of records is put in force without asking whether its tier locks",
        (
            Edit(
                "tierkeeper/engine/policies/in_force.py",
                "apply(engine.catalog, _built_in(engine.settings, engine.tiers), ",
                "apply(engine.catalog, assumed, ",
            ),
        ),
        (f"{_FOUNDING}test_a_start_asks_for_locks_only_where_a_built_in_policy_changes",),
    ),
    Mutant(
        "asking",
        "a policy asks tiers that it does not lock",
        (
            Edit(
                "tierkeeper/policy/checks.py",
                "    named = sorted(retention.tiers & known.keys())\n",
                "    named = sorted(retention.tiers & {name for name in known if known[name].locks is not None})\n",
            ),
        ),
        (f"{_DOCUMENTS}test_only_the_tiers_of_the_retention_are_asked",),
    ),
    Mutant(
        "asking",
        "the default of a retention asks hotter tiers than it takes",
        (
            Edit(
                "tierkeeper/policy/tiers.py",
                "next((name for name in reversed(ordered(names, tiers)) if by_name[name].locks), None)",
                "next(iter([name for name in reversed(ordered(names, tiers)) if by_name[name].locks]), None)",
            ),
        ),
        (f"{_DOCUMENTS}test_only_the_tiers_of_the_retention_are_asked",),
    ),
    Mutant(
        "asking",
        "the keeper asks every tier whether it locks when it opens",
        (
            Edit(
                "tierkeeper/keeper/facade.py",
                "can_lock=partial(_can_lock, stores, name)",
                "can_lock=_can_lock(stores, name)",
            ),
        ),
        (f"{_POLICIES}test_only_tiers_that_a_policy_locks_need_to_answer",),
    ),
)
