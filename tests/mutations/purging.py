"""What ends without an undo window is deleted and purged in one pass; two batches of collect are in flight."""

from mutations.mutant import Edit, Mutant
from mutations.places import COLLECT, COMMIT, CONVERGE

_ENDS = "tests/integration/engine/converge/test_ends.py::"
_FLIGHT = "tests/integration/engine/collect/test_two_batches.py::"


def _purging(what: str, edit: Edit, *tests: str) -> Mutant:
    return Mutant("one pass", what, (edit,), tests)


PURGING = (
    _purging(
        "an untrusted catalog purges what it deletes",
        Edit(
            COMMIT,
            "    return _spared(connection, moment, [_deleted_at_once(moment, item) for item in items])\n",
            "    return [_deleted_at_once(moment, item) for item in _spared(connection, moment, items)]\n",
        ),
        f"{_ENDS}test_an_untrusted_catalog_stops_the_second_half",
    ),
    _purging(
        "the deletion has no event of its own",
        Edit(
            COMMIT,
            "        steps.insert(0, (item.deletion.change,",
            "        steps[1:] = []\n        _ = (0, (item.deletion.change,",
        ),
        f"{_ENDS}test_one_pass_deletes_and_purges",
    ),
    _purging(
        "the purge names the approval of the deletion",
        Edit(
            COMMIT,
            "    return _DecidedRow(deleted.new, moment.decide(deleted.new), deletion=deletion)\n",
            "    return _DecidedRow(deleted.new, moment.decide(deleted.new), run=approved, deletion=deletion)\n",
        ),
        f"{_ENDS}test_what_the_brake_stops_is_stopped_whole",
    ),
    _purging(
        "a deletion that is no purge yet is not written",
        Edit(
            COMMIT,
            "[c.new for item, c in decided if c.new != item.written]",
            "[c.new for item, c in decided if c.new != item.row]",
        ),
        f"{_ENDS}test_an_untrusted_catalog_stops_the_second_half",
    ),
    _purging(
        "what the schedule foretold wrongly is left as it is",
        Edit(
            CONVERGE, "    ids = [c.artifact for c in claimed if c.artifact not in report.outcomes]\n", "    ids = []\n"
        ),
        f"{_ENDS}test_an_edit_since_takes_all_steps",
    ),
    _purging(
        "a row that cannot be read leaves the schedule",
        Edit(COMMIT, "    stuck = unreadable(rows)\n", "    stuck: dict[UUID, str] = {}\n"),
        "tests/integration/engine/test_unreadable_rows.py::test_a_row_that_breaks_before_its_commit",
    ),
    _purging(
        "what does not end is committed without its copies",
        Edit(COMMIT, "if i.deletion is not None or i.decision.action in {Action.DELETE, Action.DESTROY}]", "]"),
        f"{_ENDS}test_what_does_not_end_stays_leased",
    ),
    _purging(
        "content of which another artifact lacks a copy is tried again instead of copied",
        Edit(COMMIT, "        items = [item for item in items if item.row.blob_id not in lacking]\n", ""),
        f"{_ENDS}test_content_that_another_artifact_lacks_stays",
    ),
    _purging(
        "only as many are forgotten as one transaction forgets",
        Edit(COLLECT, "range(0, len(marked), _FORGOTTEN)", "range(0, min(1, len(marked)), _FORGOTTEN)"),
        f"{_FLIGHT}test_a_batch_is_forgotten_in_parts",
    ),
    _purging(
        "the next batch waits until the one before is gone",
        Edit(
            COLLECT,
            "            self._settle(then=batch)\n",
            "            self._settle(then=batch)\n            self._settle()\n",
        ),
        f"{_FLIGHT}test_the_next_is_judged_meanwhile",
    ),
    _purging(
        "a sweep picks again what it is deleting",
        Edit(COLLECT, "(self._ahead[0].marked if self._ahead is not None else ())", "()"),
        f"{_FLIGHT}test_a_deletion_longer_than_a_lease_is_not_picked_again",
    ),
    _purging(
        "what waited for another batch has the rest of its lease",
        Edit(COLLECT, " > self.engine.lease * _WAITED:\n", " > self.engine.lease * 100:\n"),
        f"{_FLIGHT}test_a_deletion_longer_than_a_lease_is_not_picked_again",
    ),
    _purging(
        "an interrupted wait leaves what is in flight",
        Edit(COLLECT, "        before = self._ahead\n", "        before, self._ahead = self._ahead, None\n"),
        f"{_FLIGHT}test_an_interrupt_while_it_waits",
    ),
    _purging(
        "a deletion that can be undone does not wait for its own copies",
        Edit(COMMIT, "if fates.lacking(union[blob], of_blob)}", "if fates.lacking(wants.get(blob, ()), of_blob)}"),
        f"{_ENDS}test_a_copy_that_an_undo_window_needs_is_seen_to",
    ),
    _purging(
        "what is in flight when a sweep fails is not forgotten",
        Edit(
            COLLECT,
            "        try:\n            self._settle()\n        finally:\n",
            "        try:\n            self._ahead = None\n        finally:\n",
        ),
        f"{_FLIGHT}test_a_switch_stops_the_next_alone",
    ),
    _purging(
        "a fault of a deletion is one of the batch after it",
        Edit(COLLECT, "self._faults_of(before[0].picked)", "self._faults_of(())"),
        f"{_FLIGHT}test_a_fault_of_one_is_its_own",
    ),
)
