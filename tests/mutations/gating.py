"""The gate broken one guard at a time: what enters, and what was there before it."""

from mutations.mutant import Edit, Mutant

ROWS = "tests/integration/engine/test_unreadable_rows.py::"
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
                "tierkeeper/engine/converge/converge.py",
                "    if unreadable := _unreadable(decided):\n",
                "    if unreadable := {}:\n",
            ),
        ),
        (f"{ROWS}test_a_batch_survives",),
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
)
