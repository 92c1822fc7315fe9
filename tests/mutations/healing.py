"""What is readable counts: healing, and what is called lost."""

from mutations.mutant import Edit, Mutant

_DAMAGE = "tierkeeper/engine/copies/damage.py"
_PLACEMENTS = "tierkeeper/catalog/placements.py"
_SIBLINGS = "tierkeeper/engine/copies/siblings.py"
_SCHEDULE = "tierkeeper/catalog/schedule.py"
_VERIFY = "tierkeeper/engine/reconcile/verify.py"
_LOST = "tests/integration/engine/copies/test_lost.py::"

HEALING = (
    Mutant(
        "lost",
        "a doomed copy does not heal",
        (
            Edit(
                _PLACEMENTS,
                "{KEPT} AND damaged_at = :damaged",
                "state = 'present' AND damaged_at = :damaged",
            ),
        ),
        (f"{_LOST}test_an_intact_doomed_copy_heals_and_is_rescued",),
    ),
    Mutant(
        "lost",
        "a late heal withdraws a newer report",
        (
            Edit(
                _PLACEMENTS,
                "{KEPT} AND damaged_at = :damaged",
                "{KEPT} AND damaged_at >= :damaged",
            ),
        ),
        ("tests/integration/engine/copies/test_vouching.py::test_a_late_heal_withdraws_no_newer_report",),
    ),
    Mutant(
        "epoch",
        "a catalog that a standby serves since the check is raised",
        (
            Edit(
                "tierkeeper/engine/trust/epoch.py",
                "    if reason is not None:\n        return reason\n    before = epochs.",
                "    before = epochs.",
            ),
        ),
        ("tests/integration/engine/trust/test_epoch.py::test_a_fail_over_within_a_sweep_is_not_accepted_by_it",),
    ),
    Mutant(
        "lost",
        "a damaged copy is called right unread",
        (Edit(_SIBLINGS, " and copy.suspect else False\n", " and copy.suspect else True\n"),),
        (f"{_LOST}test_a_doomed_copy_with_other_bytes_stays_lost",),
    ),
    Mutant(
        "lost",
        "what another damaged copy has is not asked before content is called lost",
        (Edit(_SIBLINGS, " for copy in siblings.copies if copy.kept]", " for copy in ()]"),),
        (f"{_LOST}test_content_that_another_copy_heals_is_not_lost",),
    ),
    Mutant(
        "lost",
        "only what is parked starts afresh with its content",
        (Edit(_SCHEDULE, " OR s.attempts > 0 OR s.failures > 0)", ")"),),
        (f"{_LOST}test_what_was_stored_anew_is_not_parked",),
    ),
    Mutant(
        "lost",
        "verify leaves out what may be undeleted",
        (Edit(_VERIFY, "Filter(state=None, all_versions=True)", "Filter(all_versions=True)"),),
        ("tests/integration/engine/reconcile/test_verify.py::test_without_conditions_all_that_may_come_back_is_read",),
    ),
    Mutant(
        "lost",
        "verify looks for copies of what is purged",
        (Edit(_VERIFY, " and row.counted]", "]"),),
        ("tests/integration/engine/reconcile/test_verify.py::test_without_conditions_all_that_may_come_back_is_read",),
    ),
    Mutant(
        "lost",
        "an artifact without any copy passes verify",
        (Edit(_VERIFY, "list(present if good else kept) or [None]", "list(present if good else kept)"),),
        (f"{_LOST}test_verify_of_lost_content_says_so",),
    ),
    Mutant(
        "lost",
        "healing makes the first hundred artifacts due, and no others",
        (Edit(_DAMAGE, "    schedule.start_afresh(connection, [copy.blob_id], now=now)\n", ""),),
        (f"{_LOST}test_all_who_need_healed_content_are_due",),
    ),
)
