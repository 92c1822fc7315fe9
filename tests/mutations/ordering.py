"""R33, as far as reading goes: the order of events, broken one part at a time."""

from mutations.mutant import Edit, Mutant

_EVENTS = "tierkeeper/catalog/events.py"
_TESTS = "tests/integration/catalog/test_event_order.py::"
_FILES = "tierkeeper/engine/recovery/dump_files.py"
_CLOCKS = "tests/integration/engine/recovery/test_dump_clocks.py::"
_DUMPS = "tests/integration/engine/recovery/test_dump.py::"
_SPOILS = f"{_CLOCKS}test_a_dump_of_a_clock_that_was_ahead_spoils_no_later_one"

ORDERING = (
    Mutant(
        "R33",
        "an event is read before every earlier transaction has ended",
        (
            Edit(
                _EVENTS,
                '_SETTLED = "(cluster <> events_cluster() OR xid < pg_snapshot_xmin(pg_current_snapshot()))"\n',
                '_SETTLED = "true"\n',
            ),
        ),
        (f"{_TESTS}test_a_late_commit_is_not_skipped",),
    ),
    Mutant(
        "R33",
        "transaction ids of another cluster are compared with this one's",
        (
            Edit(
                _EVENTS,
                '_SETTLED = "(cluster <> events_cluster() OR xid < pg_snapshot_xmin(pg_current_snapshot()))"\n',
                '_SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"\n',
            ),
        ),
        (f"{_TESTS}test_events_of_an_earlier_cluster_come_first",),
    ),
    Mutant(
        "R33",
        "clusters come in the order of their names",
        (
            Edit(
                _EVENTS,
                "        (SELECT e.at FROM events e WHERE e.cluster = found.cluster"
                " ORDER BY e.xid, e.subject, e.revision LIMIT 1),\n",
                "",
            ),
        ),
        (f"{_TESTS}test_events_of_an_earlier_cluster_come_first",),
    ),
    Mutant(
        "R33",
        "the cluster that writes now stands before one whose clock was ahead",
        (Edit(_EVENTS, "    ORDER BY cluster = events_cluster(),\n", "    ORDER BY\n"),),
        (f"{_TESTS}test_this_cluster_is_the_last",),
    ),
    Mutant(
        "R33",
        "a position of an unknown cluster reads from the beginning",
        (
            Edit(
                _EVENTS,
                "    if position is not None and position.cluster not in (*clusters, *segments.ends(connection)):\n",
                "    if position is not None and position.cluster not in (*clusters, *segments.ends(connection)):\n"
                "        return after(connection, None, limit=limit)\n"
                "    if position is not None and position.cluster not in (*clusters, *segments.ends(connection)):\n",
            ),
        ),
        (f"{_TESTS}test_a_position_of_another_catalog_is_refused",),
    ),
    Mutant(
        "R33",
        "the newest dump is the one of the latest time",
        (Edit(_FILES, "key=lambda view: (view.epoch or 0, view.name)", "key=lambda view: view.name"),),
        (_SPOILS,),
    ),
    Mutant(
        "R33",
        "a segment starts above what was open",
        (
            Edit(
                "tierkeeper/catalog/events.py",
                "CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS xid",
                "CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS xid",
            ),
        ),
        (f"{_CLOCKS}test_what_an_open_transaction_wrote_is_in_the_next_dump",),
    ),
    Mutant(
        "R33",
        "segments of another server make a chain",
        (Edit(_FILES, "if segment.cluster == now.cluster and segment.end", "if segment.end"),),
        (f"{_CLOCKS}test_a_chain_has_no_gap",),
    ),
    Mutant(
        "R33",
        "a segment that was not read back is in a chain",
        (Edit(_FILES, "match is not None and read_back_located(location) in sizes:", "match is not None:"),),
        (f"{_DUMPS}test_what_was_not_read_back_is_in_no_later_dump",),
    ),
    Mutant(
        "R33",
        "a segment that was cut is in a chain",
        (Edit(_FILES, "            if segment.size == size:\n", "            if segment.size:\n"),),
        (f"{_DUMPS}test_a_segment_of_another_size_is_in_no_chain",),
    ),
    Mutant(
        "R33",
        "a dump counts before it was read back",
        (
            Edit(
                "tierkeeper/engine/recovery/dump.py",
                "        _put_manifest(put, manifest, dump_files.sealed(manifest.as_json()))\n",
                "        _put_manifest(put, manifest, dump_files.MANIFEST)\n",
            ),
        ),
        (f"{_DUMPS}test_a_dump_counts_only_once_it_was_read_back",),
    ),
    Mutant(
        "R33",
        "a dump that is being made is deleted as one that was interrupted",
        (Edit("tierkeeper/engine/recovery/dump.py", " and not _others(engine, work):", ":"),),
        (f"{_DUMPS}test_two_dumps_at_once_leave_each_other",),
    ),
    Mutant(
        "R33",
        "a dump that counts loses its files",
        (
            Edit(
                "tierkeeper/engine/recovery/dump.py",
                "    if refused is not None:\n        return refused",
                "    if refused == keys:\n        return refused",
            ),
        ),
        (f"{_DUMPS}test_a_dump_whose_manifest_stays_keeps_its_files",),
    ),
    Mutant(
        "R33",
        "a manifest is believed whatever its name says",
        (Edit(_FILES, "    if expected not in {None, sha256(content).hexdigest()}:\n", "    if expected == name:\n"),),
        ("tests/integration/engine/recovery/test_rebuild.py::test_a_broken_dump_leaves_the_catalog_empty",),
    ),
    Mutant(
        "R33",
        "segments beyond the horizon make a chain",
        (Edit(_FILES, "now.cluster and segment.end <= now.xid]", "now.cluster]"),),
        (f"{_CLOCKS}test_a_chain_has_no_gap",),
    ),
    Mutant(
        "R33",
        "a month goes that a dump from the future does not have",
        (
            Edit(
                "tierkeeper/engine/recovery/detach.py",
                "    return events.any_from(connection, dumped.end, since",
                "    return month.until.year < 1 and events.any_from(connection, dumped.end, since",
            ),
        ),
        (f"{_CLOCKS}test_a_month_that_a_future_dump_does_not_have_stays",),
    ),
)
