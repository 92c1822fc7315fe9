"""R20, broken one at a time: what takes two looks, and what a suspect is good for meanwhile."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/engine/test_suspects.py::"
_DAMAGE = "tierkeeper/engine/damage.py"
_SETTLEMENT = "tierkeeper/engine/settlement.py"
_UNIT = "tests/unit/engine/test_settlement.py::"


def _broken(how: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant("R20", how, (Edit(file, old, new),), tuple(test if "/" in test else _TESTS + test for test in tests))


SUSPECTING = (
    _broken(
        "one look is enough",
        _DAMAGE,
        "    if not wrong.missing or engine.store(current.tier).bound:\n",
        "    if True:\n",
        "test_the_other_copy_stays_meanwhile",
    ),
    _broken(
        "other bytes take two looks",
        _DAMAGE,
        "    if not wrong.missing or engine",
        "    if engine",
        "test_other_bytes_are_damaged_at_once",
    ),
    _broken(
        "a folder takes two looks",
        _DAMAGE,
        "    if not wrong.missing or engine.store(current.tier).bound:\n",
        "    if not wrong.missing:\n",
        "test_what_lies_in_a_folder_is_damaged_at_once",
    ),
    _broken(
        "the second look needs no quarantine",
        _DAMAGE,
        "    return looked < current.missed_at + engine.settings.reconcile.quarantine\n",
        "    return looked < current.missed_at\n",
        "test_the_only_copy_is_a_suspect",
    ),
    _broken(
        "the second look counts from when it is reported",
        _DAMAGE,
        "    looked = now - timedelta(seconds=wrong.ago)\n",
        "    looked = now\n",
        "test_the_second_look_begins_after_the_quarantine",
    ),
    _broken(
        "a first look in the time to come is believed",
        _DAMAGE,
        "    if current.missed_at is None or current.missed_at > now:",
        "    if current.missed_at is None:",
        "test_a_first_look_in_the_time_to_come_is_none",
    ),
    _broken(
        "verify waits for the time to come",
        "tierkeeper/catalog/placements.py",
        "(p.missed_at <= :before OR p.missed_at > clock_timestamp())",
        "p.missed_at <= :before",
        "test_a_first_look_in_the_time_to_come_is_none",
    ),
    _broken(
        "a read in the time to come is fresh",
        "tierkeeper/engine/verify.py",
        "        engine.catalog.run(placements.forget_reads_to_come)\n",
        "        pass\n",
        "test_what_was_read_in_the_time_to_come_is_read",
    ),
    _broken(
        "a suspect counts",
        _SETTLEMENT,
        "placement.damaged_at is None and placement.missed_at is None and",
        "placement.damaged_at is None and",
        "test_the_other_copy_stays_meanwhile",
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
        "tierkeeper/engine/converge.py",
        "            left |= settlement.held_up(copies[blob])\n",
        "",
        "test_what_is_lacking_besides_is_copied",
    ),
    _broken(
        "no second look comes by itself",
        "tierkeeper/engine/converge.py",
        "    if plan.suspects:\n",
        "    if False:\n",
        "test_the_only_copy_is_gone",
    ),
    _broken(
        "verify does not look at suspects first",
        "tierkeeper/engine/verify.py",
        " if share is not None else ():\n        if over",
        " if False else ():\n        if over",
        "test_verify_looks_at_suspects_besides_its_share",
    ),
    _broken(
        "what was missed anew since is taken back",
        "tierkeeper/catalog/placements.py",
        " WHERE id = :id AND missed_at = :missed",
        " WHERE id = :id AND missed_at <> :missed - interval '1 y'",
        "test_who_saw_it_before_it_was_missed_anew_takes_nothing_back",
    ),
)
