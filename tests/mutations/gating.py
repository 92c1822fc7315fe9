"""The gate broken one guard at a time: what enters, and what was there before it."""

from mutations.mutant import Edit, Mutant

ROWS = "tests/integration/engine/test_unreadable_rows.py::"
LIMITS = "tests/unit/client/test_limits.py::"
FUTURE = "tests/integration/engine/test_future_times.py::"
TIMES = "tests/unit/client/test_times.py::"

GATING = (
    Mutant(
        "gate",
        "a time is judged by its own year, not by that in UTC",
        (
            Edit(
                "client/src/tierkeeper_client/times.py",
                "FIRST_YEAR <= moment.astimezone(UTC).year < END_YEAR",
                "FIRST_YEAR <= moment.year < END_YEAR",
            ),
        ),
        (f"{TIMES}test_outside",),
    ),
    Mutant(
        "gate",
        "one time that a datetime cannot hold makes a whole result unreadable",
        (
            Edit(
                "tierkeeper/connections.py",
                '        opened.adapters.register_loader("timestamptz", TimeLoader)\n',
                "",
            ),
        ),
        (f"{ROWS}test_a_batch_survives",),
    ),
    Mutant(
        "gate",
        "an artifact that cannot be read is not parked",
        (
            Edit(
                "tierkeeper/engine/converge/commit.py",
                "        if row.state is ArtifactState.LIVE and (names := row.unreadable)\n",
                "        if row.state is None and (names := row.unreadable)\n",
            ),
        ),
        (f"{ROWS}test_a_batch_survives",),
    ),
    Mutant(
        "gate",
        "tags with a list of texts are found by Python alone",
        (
            Edit(
                "models/artifact.py",
                """'strict $.* ? (@.type() <> "string")', '{}', true)""",
                """'$.* ? (@.type() <> "string")')""",
            ),
        ),
        (f"{ROWS}test_an_operator_mends_them",),
    ),
    Mutant(
        "gate",
        "metadata that are nested too deep are found by Python alone",
        (Edit("models/artifact.py", " OR {overfull('metadata')}", ""),),
        (f"{ROWS}test_python_and_sql_agree",),
    ),
    Mutant(
        "gate",
        "what is read is as deep as a version of Python reads",
        (Edit("tierkeeper/catalog/json_values.py", "UnreadableJson() if _deep(value) else value", "value"),),
        (f"{ROWS}test_python_and_sql_agree",),
    ),
    Mutant(
        "gate",
        "a number with a point is read however long",
        (Edit("tierkeeper/catalog/json_values.py", ", parse_float=_bounded(float))", ")"),),
        (f"{ROWS}test_python_and_sql_agree",),
    ),
    Mutant(
        "gate",
        "what is mended is kept as deep as it was",
        (
            Edit(
                "models/migrations/versions/0016_what_python_reads.py",
                "THEN to_jsonb({column}::text) ELSE",
                "THEN {column} ELSE",
            ),
        ),
        (f"{ROWS}test_an_operator_mends_them",),
    ),
    Mutant(
        "gate",
        "a rebuild takes metadata as deep as an object has them",
        (Edit("tierkeeper/engine/recovery/adopt.py", "json_values.shallow(info.metadata)", "info.metadata"),),
        ("tests/integration/engine/recovery/test_adopt.py::test_metadata_too_deep_for_the_catalog_are_kept_as_text",),
    ),
    Mutant(
        "gate",
        "one broken row makes maintain read all of them each hour",
        (
            Edit(
                "tierkeeper/catalog/unreadable.py",
                "    if known is not None and still(connection, [UUID(known.value)]):\n",
                "    if known is not None and not still(connection, [UUID(known.value)]):\n",
            ),
        ),
        (f"{ROWS}test_one_broken_row_is_no_scan_each_hour",),
    ),
    Mutant(
        "gate",
        "metadata that cannot be read protect nothing",
        (Edit("tierkeeper/engine/verbs/wishes.py", "    if row.opaque:\n", "    if not row.ref:\n"),),
        (f"{ROWS}test_a_purge",),
    ),
    Mutant(
        "gate",
        "an end of retention that cannot be read is shortened to now",
        (
            Edit(
                "models/migrations/versions/0010_readable_artifacts.py",
                '    "retain_until": LAST,\n',
                '    "retain_until": "now()",\n',
            ),
        ),
        (f"{ROWS}test_an_operator_mends_them",),
    ),
    Mutant(
        "gate",
        "a rebuild takes the age that an object cannot have",
        (
            Edit(
                "tierkeeper/engine/recovery/adopt.py",
                " if not isinstance(info.created, Outside) else moment.now",
                "",
            ),
        ),
        ("tests/integration/engine/recovery/test_adopt.py::test_an_age_that_nobody_can_have_meant_begins_now",),
    ),
    Mutant(
        "future",
        "a read from the future is forgotten, and the artifact counts as never read",
        (
            Edit(
                "tierkeeper/catalog/future.py",
                '    "artifacts.accessed_at": "clock_timestamp()",\n',
                '    "artifacts.accessed_at": "NULL",\n',
            ),
        ),
        (f"{FUTURE}test_a_read_in_the_future_makes_nothing_due",),
    ),
    Mutant(
        "future",
        "a lease from the future is held until that day",
        (
            Edit(
                "tierkeeper/catalog/conditions.py",
                " OR lease_until > {at} + 2 * CAST(:lease AS interval))",
                " OR (lease_until > {at} + 2 * CAST(:lease AS interval) AND false))",
            ),
        ),
        (f"{FUTURE}test_a_lease_and_a_run",),
    ),
    Mutant(
        "future",
        "a run that was heard of in the future is at work until that day",
        (
            Edit(
                "tierkeeper/catalog/runs.py",
                "        AND seen_at BETWEEN statement_timestamp() - CAST(:silence AS interval)\n"
                "            AND statement_timestamp() + CAST(:silence AS interval)\n        AND tenant",
                "        AND seen_at > statement_timestamp() - CAST(:silence AS interval)\n        AND tenant",
            ),
        ),
        (f"{FUTURE}test_a_lease_and_a_run",),
    ),
    Mutant(
        "future",
        "an intent from the future is left until that day",
        (
            Edit(
                "tierkeeper/catalog/placements.py",
                "AND lease_until > statement_timestamp()\n            -- a delete",
                "AND lease_until > statement_timestamp() + interval '9 years'\n            -- a delete",
            ),
        ),
        (f"{FUTURE}test_an_intent",),
    ),
    Mutant(
        "future",
        "a copy that a dead worker began in the future is waited for",
        (
            Edit(
                "tierkeeper/engine/converge/converge.py",
                "        and now < placement.lease_until <= now + 2 * lease\n",
                "        and now < placement.lease_until <= placement.lease_until + 2 * lease\n",
            ),
        ),
        (f"{FUTURE}test_an_intent",),
    ),
    Mutant(
        "future",
        "a message waits until a day that a wrong clock set",
        (
            Edit(
                "tierkeeper/catalog/deliveries.py",
                " OR due_at > statement_timestamp() + 2 * CAST(:longest AS interval)\n",
                " AND CAST(:longest AS interval) IS NOT NULL\n",
            ),
        ),
        (f"{FUTURE}test_a_message_and_a_canary",),
    ),
    Mutant(
        "future",
        "a canary from the future says that the queue works",
        (
            Edit(
                "tierkeeper/catalog/heartbeats.py",
                " AND at <= statement_timestamp() + interval '1 minute'",
                "",
            ),
        ),
        (f"{FUTURE}test_a_message_and_a_canary",),
    ),
    Mutant(
        "gate",
        "deep metadata are recursed into before they are judged",
        (
            Edit(
                "client/src/tierkeeper_client/contract.py",
                "    _within(limits.metadata_problem(value, _limits(info)))\n",
                "",
            ),
        ),
        (f"{LIMITS}test_deep_metadata_are_a_typed_error",),
    ),
    Mutant(
        "gate",
        "metadata have no bound",
        (
            Edit(
                "client/src/tierkeeper_client/contract.py",
                "    _within(limits.size_problem(stored, _limits(info)))\n",
                "",
            ),
        ),
        (f"{LIMITS}test_the_bounds_of_a_store",),
    ),
    Mutant(
        "gate",
        "an actor may drive a terminal",
        (
            Edit(
                "tierkeeper/base/callers.py",
                '        for field in ("actor", "correlation"):\n',
                "        for field in ():\n",
            ),
        ),
        (f"{LIMITS}test_what_drives_a_terminal_is_refused",),
    ),
    Mutant(
        "gate",
        "what was stored drives the terminal",
        (
            Edit(
                "tierkeeper/cli/support/output.py",
                "segment.Segment(texts.plain(part.text), part.style)",
                "part",
            ),
        ),
        ("tests/unit/cli/support/test_output.py::test_nothing_that_was_stored_drives_the_terminal",),
    ),
    Mutant(
        "gate",
        "what cannot be read protects nothing",
        (
            Edit(
                "tierkeeper/catalog/rows.py",
                'holds=self.holds + tuple(f"its {name} cannot be read" for name in opaque) if opaque else self.holds,',
                "holds=self.holds,",
            ),
        ),
        ("tests/unit/engine/test_moment.py::test_what_cannot_be_read_protects",),
    ),
)
