"""The guards around months of events that leave the catalog, broken one at a time."""

from mutations.mutant import Edit, Mutant
from mutations.places import PERMISSION

_TESTS = "tests/integration/engine/recovery/test_detach.py::"
_DETACH = "tierkeeper/engine/recovery/detach.py"
_FILES = "tierkeeper/engine/recovery/segment_files.py"
_EVENTS = "tierkeeper/catalog/events.py"
_DIFFERS = f"{_TESTS}test_a_file_that_differs_keeps_its_month"


def _mutant(broken: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant("detach", broken, (Edit(file, old, new),), (test,))


DETACHING = (
    _mutant(
        "a file is believed without being compared",
        _FILES,
        "            if event is None or found != lines.line(event):\n",
        "            if event is None or found is None:\n",
        f"{_DIFFERS}[a line]",
    ),
    _mutant(
        "a file that is longer will do",
        _FILES,
        "            if event is None or found != lines.line(event):\n",
        "            if event is None:\n                break\n            if found != lines.line(event):\n",
        f"{_DIFFERS}[more]",
    ),
    _mutant(
        "what was written after the export goes unseen",
        _DETACH,
        "    if number != segment.events:\n",
        "    if number < segment.events:\n",
        f"{_TESTS}test_what_is_written_meanwhile_keeps_its_month",
    ),
    _mutant(
        "a month goes before what stays of it is kept",
        _DETACH,
        "    if lacking:\n",
        "    if lacking < 0:\n",
        f"{_TESTS}test_what_is_not_kept_keeps_its_month",
    ),
    _mutant(
        "a month goes after an operator stopped the deletes",
        _DETACH,
        "        return _Held.BY_OTHERS\n    permission.require(connection)\n",
        "        return _Held.BY_OTHERS\n",
        f"{_TESTS}test_what_stops_a_month_is_asked_at_its_commit_point",
    ),
    _mutant(
        "a month goes by what was asked before its export",
        _DETACH,
        "    refused = _stays(connection, month, dumped)\n",
        "    refused = None\n",
        f"{_TESTS}test_what_stops_a_month_is_asked_at_its_commit_point[no dump]",
    ),
    _mutant(
        "a month that may get events goes",
        _DETACH,
        "        if before > first_open.since:\n",
        "        if before > first_open.until + QUIET * 20:\n",
        f"{_TESTS}test_a_month_that_may_get_events_is_refused",
    ),
    _mutant(
        "open transactions are not waited for",
        _DETACH,
        "    if events.unsettled(connection, since=month.since, until=month.until):\n",
        "    if events.unsettled(connection, since=month.until, until=month.since):\n",
        f"{_TESTS}test_a_month_stays_while_a_transaction_is_open",
    ),
    _mutant(
        "a month goes that no dump has",
        _DETACH,
        "    if dumped is not None and _lacks(connection, month, dumped):\n",
        "    if dumped is not None and not dumped.line:\n",
        f"{_TESTS}test_a_month_that_is_in_no_dump_stays",
    ),
    _mutant(
        "months go while deletes are off",
        PERMISSION,
        "    if off is not None:\n",
        "    if False:\n",
        f"{_TESTS}test_nothing_goes_while_deletes_are_off",
    ),
    _mutant(
        "files lie in a tier",
        _DETACH,
        "        if real.is_relative_to(os.path.realpath(own)):\n",
        "        if real == own:\n",
        f"{_TESTS}test_the_files_lie_apart_from_the_tiers",
    ),
    _mutant(
        "a month goes while a dump is made",
        "tierkeeper/catalog/dumps.py",
        "        partitions.hold(connection)",
        "        pass",
        f"{_TESTS}test_a_dump_and_a_month_do_not_meet",
    ),
    _mutant(
        "revisions begin again",
        _EVENTS,
        "where(table.c.subject == subject) for table in _LOGS)\n",
        "where(table.c.subject == subject) for table in _LOGS[:1])\n",
        f"{_TESTS}test_revisions_go_on",
    ),
    _mutant(
        "the ends of copies are forgotten",
        _EVENTS,
        "        for log in _LOGS\n",
        "        for log in _LOGS[:1]\n",
        f"{_TESTS}test_bytes_of_a_copy_that_ended_are_not_a_strangers",
    ),
    _mutant(
        "a reader by position misses what went",
        _EVENTS,
        " or position.key < ends[position.cluster].key)\n",
        " or not position.key)\n",
        f"{_TESTS}test_a_reader_by_position_is_told",
    ),
    _mutant(
        "who begins to read by position gets one that is refused",
        _EVENTS,
        "        views += more\n    return views\n",
        "        break\n    return views\n",
        f"{_TESTS}test_who_begins_can_continue",
    ),
    _mutant(
        "a catalog that is not trusted lets months go",
        PERMISSION,
        "return None if distrusted is None else CatalogRestored(reason=distrusted)",
        "return None",
        f"{_TESTS}test_nothing_goes_from_a_catalog_that_is_not_trusted",
    ),
    _mutant(
        "what a dump of another line has counts",
        _DETACH,
        "    if not dumped.end.xid or dumped.line != epochs.line(connection):\n",
        "    if not dumped.end.xid:\n",
        f"{_TESTS}test_what_another_line_or_server_dumped_keeps_its_month[line]",
    ),
    _mutant(
        "what a dump of another server has counts",
        _DETACH,
        "    if dumped.end.cluster != events.horizon(connection).cluster:\n",
        "    if not dumped.end.cluster:\n",
        f"{_TESTS}test_what_another_line_or_server_dumped_keeps_its_month[server]",
    ),
    _mutant(
        "a month that another process took is exported as if it had no events",
        _DETACH,
        "        if not partitions.is_attached(connection, month):\n            raise _GoneError\n        yield",
        "        yield",
        f"{_TESTS}test_a_month_that_another_process_takes_is_told[step_1_export]",
    ),
    _mutant(
        "a month that another process took is told as detached into this one's file",
        _DETACH,
        "        if not segments.has(connection, month, segment):\n",
        "        if not segments:\n",
        f"{_TESTS}test_a_month_that_another_process_takes_is_told[step_4_detach]",
    ),
    _mutant(
        "a file of an earlier run may be lost with the power",
        _DETACH,
        "    segment_files.sync(path)\n",
        "",
        f"{_TESTS}test_a_file_that_was_there_is_brought_to_the_disk",
    ),
    _mutant(
        "explain forgets what went",
        "tierkeeper/catalog/history.py",
        "        found.setdefault((kept.revision, kept.at), _view(kept, row))\n",
        "        found.get((kept.revision, kept.at), _view(kept, row))\n",
        f"{_TESTS}test_a_month_goes_into_a_file_and_explain_answers_as_before",
    ),
    _mutant(
        "the doctor misses what is in files",
        "tierkeeper/catalog/doctor.py",
        "THEN found.first - 1 ELSE 0 END\n",
        "THEN 0 ELSE 0 END\n",
        f"{_TESTS}test_the_doctor_finds_no_gap",
    ),
    _mutant(
        "months that are back count as gone",
        "tierkeeper/engine/recovery/rebuild.py",
        "        segments.forget_returned(connection)\n",
        "        assert segments\n",
        f"{_TESTS}test_a_rebuild_has_it_all",
    ),
)
