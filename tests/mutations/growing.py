"""What costs the same however large the catalog is: each guard broken."""

from mutations.mutant import Edit, Mutant

_SCHEDULE = "tierkeeper/catalog/schedule.py"
_STABLE = "tests/unit/catalog/test_stable_times.py::"

GROWING = (
    Mutant(
        "growth",
        "rotate compares the whole schedule with a volatile time",
        (
            Edit(
                _SCHEDULE,
                '        WHERE {due("statement_timestamp()")}\n            AND {unleased("statement_timestamp()")}\n',
                '        WHERE {due("clock_timestamp()")}\n            AND {unleased("statement_timestamp()")}\n',
            ),
        ),
        (f"{_STABLE}test_no_statement_compares_with_a_volatile_time",),
    ),
)
