"""Batches are written column by column."""

from functools import partial

from mutations.mutant import Edit, one_edit

_RECORDSET = "tierkeeper/catalog/recordset.py"
_TESTS = "tests/integration/catalog/test_recordset.py::"
_written = partial(one_edit, "columns")


WRITING = (
    _written(
        "no document is the null of JSON",
        Edit(
            _RECORDSET,
            "return f\"nullif(w.{name}, 'null')\"",
            'return f"w.{name}"',
        ),
        f"{_TESTS}test_nothing_is_null_in_json_too",
    ),
    _written(
        "what the first and the last row have is written for all",
        Edit(
            _RECORDSET,
            "    if values[-1] is first and all(value is first for value in values):",
            "    if values[-1] is first:",
        ),
        f"{_TESTS}test_what_the_first_and_the_last_row_share_is_theirs",
    ),
    _written(
        "a quote ends a text of a list",
        Edit(
            _RECORDSET,
            """.replace('"', '\\\\"') for each in items)""",
            " for each in items)",
        ),
        f"{_TESTS}test_lists_of_texts_come_back_as_they_were",
    ),
    _written(
        "a backslash in a text of a list is lost",
        Edit(
            _RECORDSET,
            """each.replace("\\\\", "\\\\\\\\")""",
            "each",
        ),
        f"{_TESTS}test_lists_of_texts_come_back_as_they_were",
    ),
    _written(
        "a statement may be of any length",
        Edit(
            _RECORDSET,
            "sum(map(len, part.values())) <= _MOST:",
            "sum(map(len, part.values())) <= 99 * _MOST:",
        ),
        f"{_TESTS}test_many_rows_are_cut_into_statements",
    ),
    _written(
        "the second half of too many rows is left out",
        Edit(
            _RECORDSET,
            "    yield from _column_parts(table, rows[half:])\n",
            "",
        ),
        f"{_TESTS}test_many_rows_are_cut_into_statements",
    ),
)
