"""What is kept and told of a step that failed and is tried again."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/engine/converge/test_failures.py::"
_COMMIT = "tierkeeper/engine/converge/commit.py"
_SCHEDULE = "tierkeeper/catalog/schedule.py"
_ENDS = "tierkeeper/catalog/sweep_ends.py"
_VITALS = "tests/integration/engine/operations/test_sweep_vitals.py::"

FAILING = (
    Mutant(
        "failures",
        "a success with a part ends a sweep's failure",
        (Edit(_ENDS, "            AND NOT arguments ? 'part'\n", ""),),
        (f"{_VITALS}test_a_success_with_a_part_hides_no_failure",),
    ),
    Mutant(
        "failures",
        "a success for one tenant ends a sweep's failure",
        (Edit(_ENDS, "            AND tenant IS NULL\n", ""),),
        (f"{_VITALS}test_a_success_with_a_part_hides_no_failure",),
    ),
    Mutant(
        "failures",
        "another edit's recompute ends a failed one",
        (Edit(_ENDS, "WHEN 'recompute' THEN CAST('-infinity' AS timestamptz)", "WHEN '' THEN now()"),),
        (f"{_VITALS}test_each_recompute_is_one_edits",),
    ),
    Mutant(
        "failures",
        "a recompute that no worker continues is told nowhere",
        (Edit(_ENDS, "seen_at < statement_timestamp() - :silent)", "seen_at < statement_timestamp() - 99 * :silent)"),),
        (f"{_VITALS}test_each_recompute_is_one_edits",),
    ),
    Mutant(
        "failures",
        "a failed move counts as a move",
        (Edit(_COMMIT, "artifact_change.event in {None, Moved}", "artifact_change.event is None"),),
        (f"{_TESTS}test_a_failed_move_counts_as_none",),
    ),
    Mutant(
        "failures",
        "a move that is only begun is exported as done",
        (Edit("tierkeeper/audit/lines.py", "'moving' if is_begun(event) else 'promoted'", "'promoted'"),),
        (f"{_TESTS}test_a_failed_move_counts_as_none",),
    ),
    Mutant(
        "failures",
        "a table of events shows a move that is only begun as done",
        (
            Edit(
                "tierkeeper/cli/support/eventlog.py",
                '"moving" if lines.is_begun(event) else event.type',
                "event.type",
            ),
        ),
        (f"{_TESTS}test_a_failed_move_counts_as_none",),
    ),
    Mutant(
        "failures",
        "a retry is told as the step after it",
        (Edit(_COMMIT, 'step = f"{Step.MOVE.value} {listed(item.decision.tiers)}"', "step = item.decision.next_step"),),
        (f"{_TESTS}test_a_failed_move_is_told_as_one",),
    ),
    Mutant(
        "failures",
        "an edit of a policy names its step as the one that failed",
        (
            Edit(
                _SCHEDULE,
                "step = CASE WHEN s.failures > 0 AND s.failed_code IS NOT NULL THEN s.step ELSE w.step END",
                "step = w.step",
            ),
        ),
        (f"{_TESTS}test_a_step_that_comes_first_is_not_said_to_have_failed",),
    ),
    Mutant(
        "failures",
        "a step that comes before the retry is named as the one that failed",
        (
            Edit(
                _COMMIT,
                "item.decision.next_step if waiting.failure is None else waiting.step",
                "item.decision.next_step",
            ),
        ),
        (f"{_TESTS}test_a_step_that_comes_first_is_not_said_to_have_failed",),
    ),
    Mutant(
        "failures",
        "a failure's words go to the terminal as they came",
        (Edit(_COMMIT, "words = texts.one_line(self.detail, most=_MOST_WORDS)", "words = self.detail"),),
        (f"{_TESTS}test_a_failed_move_is_told_as_one",),
    ),
    Mutant(
        "failures",
        "a failure stays when its number was reset",
        (Edit(_SCHEDULE, "row.failures > 0 and row.failed_code", "row.failed_code"),),
        (f"{_TESTS}test_what_a_process_of_the_release_before_did_is_no_failure",),
    ),
    Mutant(
        "failures",
        "what is parked forgets what failed",
        (
            Edit(
                _SCHEDULE,
                "failed_code = CASE WHEN w.parked IS NULL THEN w.code ELSE s.failed_code END",
                "failed_code = w.code",
            ),
        ),
        (f"{_TESTS}test_a_parked_one_keeps_its_failure",),
    ),
    Mutant(
        "failures",
        "stubborn failures need no attention",
        (Edit("tierkeeper/engine/operations/health.py", " or look.stubborn > 0", ""),),
        (f"{_TESTS}test_what_fails_again_and_again_needs_attention",),
    ),
    Mutant(
        "failures",
        "a sweep that fails for good is not bad",
        (Edit("tierkeeper/engine/operations/sweep_vitals.py", "Condition.BAD if lasting else ", ""),),
        (f"{_VITALS}test_a_sweep_that_fails",),
    ),
    Mutant(
        "failures",
        "a sweep's success does not end its failures",
        (Edit(_ENDS, "coalesce(good.started_at, statement_timestamp() - :looked)", "statement_timestamp() - :looked"),),
        (f"{_VITALS}test_a_sweep_that_fails",),
    ),
    Mutant(
        "failures",
        "a success of the future hides a sweep's failures",
        (
            Edit(
                _ENDS,
                "AND started_at BETWEEN statement_timestamp() - :looked AND statement_timestamp()\n            --",
                "AND started_at > statement_timestamp() - :looked\n            --",
            ),
        ),
        (f"{_VITALS}test_a_success_of_the_future_hides_no_failure",),
    ),
    Mutant(
        "failures",
        "a dump of the future is the last one",
        (Edit(_ENDS, "        AND started_at <= statement_timestamp()\n", ""),),
        (f"{_VITALS}test_a_success_of_the_future_hides_no_failure",),
    ),
    Mutant(
        "failures",
        "a dump that failed is not told",
        (Edit("tierkeeper/engine/operations/sweep_vitals.py", "    if failed is not None:\n", "    if False:\n"),),
        (f"{_VITALS}test_the_last_dump",),
    ),
    Mutant(
        "failures",
        "a catalog without a dump asks for none",
        (
            Edit(
                "tierkeeper/engine/operations/sweep_vitals.py",
                "    if dumped is None and now - begun <= DUMP_AGE:\n",
                "    if dumped is None:\n",
            ),
        ),
        (f"{_VITALS}test_the_last_dump",),
    ),
    Mutant(
        "failures",
        "what no tier can keep is to be made",
        (
            Edit(
                "tierkeeper/engine/operations/health.py", "begun=begun if _keeps_dumps(engine) else None", "begun=begun"
            ),
        ),
        (f"{_VITALS}test_where_no_tier_keeps_dumps",),
    ),
)
