"""R20, broken one at a time: what takes two looks, and what a suspect is good for meanwhile."""

from mutations.mutant import Edit, Mutant

_ENGINE = "tests/integration/engine/"
_DAMAGE = "tierkeeper/engine/copies/damage.py"
_COMMIT = "tierkeeper/engine/converge/commit.py"
_SETTLEMENT = "tierkeeper/engine/copies/fates.py"
_UNIT = "tests/unit/engine/copies/test_fates.py::"


def _broken(how: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(
        "R20",
        how,
        (Edit(file, old, new),),
        tuple(test if test.startswith("tests/") else _ENGINE + test for test in tests),
    )


SUSPECTING = (
    _broken(
        "one look is enough",
        _DAMAGE,
        "    if not wrong.missing or engine.store(tier).bound:\n",
        "    if True:\n",
        "copies/test_suspects.py::test_the_other_copy_stays_meanwhile",
    ),
    _broken(
        "other bytes take two looks",
        _DAMAGE,
        "    if not wrong.missing or engine",
        "    if engine",
        "copies/test_suspects.py::test_other_bytes_are_damaged_at_once",
    ),
    _broken(
        "a folder takes two looks",
        _DAMAGE,
        "    if not wrong.missing or engine.store(tier).bound:\n",
        "    if not wrong.missing:\n",
        "copies/test_suspects.py::test_what_lies_in_a_folder_is_damaged_at_once",
    ),
    _broken(
        "the second look needs no quarantine",
        _DAMAGE,
        "    again = missed + engine.settings.reconcile.quarantine\n",
        "    again = missed\n",
        "copies/test_suspects.py::test_the_only_copy_is_a_suspect",
    ),
    _broken(
        "the second look counts from when it is reported",
        _DAMAGE,
        "    looked = now.earlier - timedelta(seconds=wrong.ago)\n",
        "    looked = now.earlier\n",
        "copies/test_suspects.py::test_the_second_look_begins_after_the_quarantine",
    ),
    _broken(
        "a first look in the time to come is believed",
        _DAMAGE,
        "    if missed is None or missed > now.later:",
        "    if missed is None:",
        "copies/test_wrong_clocks.py::test_a_first_look_in_the_time_to_come_is_none",
    ),
    _broken(
        "verify waits for the time to come",
        "tierkeeper/engine/copies/suspects.py",
        "    yield from _missed(engine, placements.past(now.later), until=placements.END)\n",
        "",
        "copies/test_wrong_clocks.py::test_a_first_look_in_the_time_to_come_is_none",
    ),
    _broken(
        "a read in the time to come is fresh",
        "tierkeeper/engine/reconcile/verify.py",
        "(to_come, 1.0), ",
        "",
        "copies/test_wrong_clocks.py::test_what_was_read_in_the_time_to_come_is_read",
    ),
    _broken(
        "a machine that is ahead hides copies from verify",
        "tierkeeper/engine/reconcile/verify.py",
        "    return placements.past(catalog_now(connection))\n",
        "    return placements.past(catalog_now(connection).replace(year=9000))\n",
        "copies/test_wrong_clocks.py::test_a_machine_that_is_ahead_hides_no_copy_from_verify",
    ),
    _broken(
        "a first look is noted by a clock that is behind",
        "tierkeeper/catalog/placements.py",
        '"now": now.later}',
        '"now": now.catalog}',
        "copies/test_wrong_clocks.py::test_suspects_wait_for_both_clocks",
    ),
    _broken(
        "a second look is judged by a clock that is ahead",
        _DAMAGE,
        "    looked = now.earlier - ",
        "    looked = now.catalog - ",
        "copies/test_wrong_clocks.py::test_suspects_wait_for_both_clocks",
    ),
    _broken(
        "an orphan is noted by a clock that is behind",
        "tierkeeper/catalog/quarantine.py",
        '"first": now.later',
        '"first": now.catalog',
        "copies/test_wrong_clocks.py::test_orphans_wait_for_both_clocks",
    ),
    _broken(
        "an orphan is deleted by a clock that is ahead",
        "tierkeeper/engine/reconcile/comparison.py",
        "        return now.earlier - ",
        "        return now.catalog - ",
        "copies/test_wrong_clocks.py::test_orphans_wait_for_both_clocks",
    ),
    _broken(
        "verify passes over all suspects to find the ripe ones",
        "tierkeeper/catalog/placements.py",
        "WHERE p.missed_at <= :until\n",
        "WHERE coalesce(p.missed_at, p.missed_at) <= :until\n",
        "tests/integration/catalog/test_placements.py::test_an_index_finds_them",
    ),
    _broken(
        "a suspect counts",
        _SETTLEMENT,
        "placement.damaged_at is None and placement.missed_at is None and",
        "placement.damaged_at is None and",
        "copies/test_suspects.py::test_the_other_copy_stays_meanwhile",
    ),
    _broken(
        "a suspect is a source",
        _SETTLEMENT,
        "    readable = [p for p in copies if p.readable and not p.suspect]\n    return sorted(",
        "    readable = [p for p in copies if p.readable]\n    return sorted(",
        f"{_UNIT}test_a_suspect_neither_counts_nor_is_a_source_nor_is_rescued",
    ),
    _broken(
        "a suspect is replaced at once",
        "tierkeeper/engine/converge/converge.py",
        "        deferred |= fates.blocked_by_suspects(copies[blob])\n",
        "",
        "copies/test_suspects.py::test_what_is_lacking_besides_is_copied",
    ),
    _broken(
        "no second look comes by itself",
        "tierkeeper/engine/converge/converge.py",
        "    if decided.suspects:\n",
        "    if False:\n",
        "copies/test_suspects.py::test_the_only_copy_is_gone",
    ),
    _broken(
        "verify does not look at suspects first",
        "tierkeeper/engine/reconcile/verify.py",
        " if share is not None else ():\n            if over",
        " if False else ():\n            if over",
        "copies/test_suspects_meanwhile.py::test_verify_looks_at_suspects_besides_its_share",
    ),
    _broken(
        "the wait for the second look puts the next step off",
        _COMMIT,
        "or not now < natural < waiting.due_at",
        "or waiting.failed is False or not now < natural < waiting.due_at",
        "copies/test_suspects_meanwhile.py::test_the_wait_for_a_second_look_puts_no_step_off",
    ),
    _broken(
        "the wait after a failure puts the next step off",
        _COMMIT,
        "or not now < natural < waiting.due_at",
        "or waiting.failed or not now < natural < waiting.due_at",
        "copies/test_suspects_meanwhile.py::test_no_failure_puts_a_step_off",
    ),
    _broken(
        "the brake does not count what comes before the second look",
        _COMMIT,
        "    deletes = item.decision.policy.name if item.decision.step is Step.PURGE else None\n",
        "    deletes = None\n",
        "copies/test_suspects_meanwhile.py::test_the_wait_for_a_second_look_puts_no_step_off",
    ),
    _broken(
        "a suspect that nobody can look at is waited for",
        _SETTLEMENT,
        "    seen = [p for p in copies if p.suspect and p.tier in configured]\n",
        "    seen = [p for p in copies if p.suspect]\n",
        "tests/unit/engine/copies/test_fates.py::test_nobody_waits_for_what_nobody_can_look_at",
    ),
    _broken(
        "what is found is judged by when the look at the tier began",
        "tierkeeper/engine/reconcile/comparison.py",
        "wrong, missed=copy.missed_at, now=now)",
        "Wrong(reason, wrong.missing), missed=copy.missed_at, now=self.began)",
        "copies/test_suspects_meanwhile.py::test_what_is_found_is_what_is_done",
    ),
    _broken(
        "a suspect is another copy",
        "tierkeeper/engine/copies/siblings.py",
        "copy.readable and not copy.suspect and",
        "copy.readable and",
        "copies/test_suspects_meanwhile.py::test_a_suspect_is_no_other_copy",
    ),
    _broken(
        "a suspect is locked",
        "tierkeeper/engine/copies/worm.py",
        "        and not p.suspect\n",
        "",
        "tests/unit/engine/copies/test_worm.py::test_wanted",
    ),
    _broken(
        "a suspect is read first",
        "tierkeeper/engine/read/reader.py",
        "key=lambda p: (p.suspect, p.state",
        "key=lambda p: (p.state",
        "copies/test_suspects_meanwhile.py::test_a_reader_takes_another_copy_first",
    ),
    _broken(
        "a suspect hides right bytes",
        "tierkeeper/engine/reconcile/verify.py",
        "any(not copy.suspect for copy in present)",
        "any(present)",
        "copies/test_suspects_meanwhile.py::test_a_suspect_hides_no_copy",
    ),
    _broken(
        "verify reports what was not noted",
        "tierkeeper/engine/reconcile/verify.py",
        "        if copy.damaged_at is None and reported is None:",
        "        if False:",
        "copies/test_suspects_meanwhile.py::test_verify_reports_nothing_that_is_not_noted",
    ),
    _broken(
        "a look at the place before counts",
        "tierkeeper/engine/trust/places.py",
        "    placements.forget_misses(connection, tier)  # a miss counts only if both looks were at one place\n",
        "",
        "copies/test_suspects_meanwhile.py::test_two_looks_are_of_one_place",
    ),
    _broken(
        "a look noted by a restored catalog counts",
        "tierkeeper/engine/recovery/accept.py",
        "        engine.catalog.run(caller, placements.forget_misses)",
        "        pass",
        "copies/test_suspects_meanwhile.py::test_two_looks_are_of_one_place",
    ),
    _broken(
        "a look of the catalog before counts",
        "tierkeeper/engine/recovery/rebuild.py",
        "    placements.forget_misses(connection)\n",
        "",
        "tests/integration/engine/recovery/test_rebuild.py::test_a_look_of_the_catalog_before_is_none",
    ),
    _broken(
        "what was missed anew since is taken back",
        "tierkeeper/catalog/placements.py",
        " WHERE id = :id AND missed_at = :missed",
        " WHERE id = :id AND missed_at <> :missed - interval '1 y'",
        "copies/test_suspects.py::test_who_saw_it_before_it_was_missed_anew_takes_nothing_back",
    ),
)
