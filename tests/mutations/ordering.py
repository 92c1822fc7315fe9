"""R33, as far as reading goes: the order of events, broken one part at a time."""

from mutations.mutant import Edit, Mutant

_EVENTS = "tierkeeper/catalog/events.py"
_TESTS = "tests/integration/catalog/test_event_order.py::"

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
                "        if position.cluster not in (*clusters, *segments.ends(connection)):\n",
                "        if position.cluster not in (*clusters, *segments.ends(connection)):\n"
                "            return after(connection, None, limit=limit)\n"
                "        if position.cluster not in (*clusters, *segments.ends(connection)):\n",
            ),
        ),
        (f"{_TESTS}test_a_position_of_another_catalog_is_refused",),
    ),
)
