"""Batches are written column by column."""

from mutations.mutant import Edit, Mutant

_RECORDSET = "tierkeeper/catalog/recordset.py"
_TESTS = "tests/integration/catalog/test_recordset.py::"


def _written(what: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant("columns", what, (Edit(_RECORDSET, old, new),), tuple(f"{_TESTS}{test}" for test in tests))


WRITING = (
    _written(
        "no document is the null of JSON",
        "return f\"nullif(w.{name}, 'null')\"",
        'return f"w.{name}"',
        "test_nothing_is_null_in_json_too",
    ),
    _written(
        "what the first and the last row have is written for all",
        "    if values[-1] is first and all(value is first for value in values):",
        "    if values[-1] is first:",
        "test_what_the_first_and_the_last_row_share_is_theirs",
    ),
    _written(
        "a quote ends a text of a list",
        """.replace('"', '\\\\"') for each in items)""",
        " for each in items)",
        "test_lists_of_texts_come_back_as_they_were",
    ),
    _written(
        "a backslash in a text of a list is lost",
        """each.replace("\\\\", "\\\\\\\\")""",
        "each",
        "test_lists_of_texts_come_back_as_they_were",
    ),
    _written(
        "a statement may be of any length",
        "sum(map(len, part.values())) <= _MOST:",
        "sum(map(len, part.values())) <= 99 * _MOST:",
        "test_many_rows_are_cut_into_statements",
    ),
    _written(
        "the second half of too many rows is left out",
        "    yield from _column_parts(table, rows[half:])\n",
        "",
        "test_many_rows_are_cut_into_statements",
    ),
    Mutant(
        "columns",
        "a null among ids ends their list",
        (
            Edit(
                "tierkeeper/connections.py",
                "self._null if each is None else self._item + each.bytes for each in obj]",
                "self._item + each.bytes for each in obj if each is not None]",
            ),
        ),
        ("tests/integration/catalog/test_database.py::test_ids_come_back_as_they_were",),
    ),
    Mutant(
        "columns",
        "Flower keeps what it likes",
        (Edit("worker/start.py", '    os.environ.setdefault("FLOWER_MAX_TASKS", str(FLOWER_TASKS))\n', ""),),
        ("tests/unit/worker/test_start.py::test_flower_keeps_few_tasks",),
    ),
    Mutant(
        "columns",
        "ids are binary in the text of a statement",
        (Edit("tierkeeper/connections.py", "format is PyFormat.AUTO and UUID in kinds", "UUID in kinds"),),
        ("tests/integration/catalog/test_database.py::test_ids_are_written_into_a_text_as_text",),
    ),
    Mutant(
        "columns",
        "of a stream that is cut a cursor stays",
        (Edit("tierkeeper/connections.py", "        if not self.connection.closed:\n", "        if self._name:\n"),),
        ("tests/integration/catalog/test_database.py::test_a_stream_that_is_cut_leaves_no_cursor_open",),
    ),
)
