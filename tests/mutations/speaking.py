"""The command line: what it loads for its help, what it says of files, devices, locales, times and references."""

from mutations.mutant import Edit, Mutant

_TABLES = "tierkeeper/cli/support/tables.py"
_STREAMS = "tierkeeper/cli/support/streams.py"
_DATABASE = "tierkeeper/catalog/database.py"
_PARKED_TESTS = "tests/integration/cli/commands/test_parked.py::"
_OUTPUT_TESTS = "tests/unit/cli/support/test_output.py::"
_STREAMS_TESTS = "tests/unit/cli/test_streams.py::"
_ENCODING = "tests/integration/catalog/test_encoding.py::test_a_database_that_cannot_hold_every_name_is_refused"


def _said(name: str, edit: Edit, test: str) -> Mutant:
    return Mutant("command line", name, (edit,), (test,))


SPEAKING = (
    _said(
        "one item that is not stuck stops the others",
        Edit("tierkeeper/cli/commands/parked.py", "if len(selections) <= 1 or error.of_all:", "if error:"),
        f"{_PARKED_TESTS}test_one_that_is_not_stuck_does_not_stop_the_others",
    ),
    _said(
        "several items of which one failed are a success",
        Edit(
            "tierkeeper/cli/commands/parked.py",
            "    if any(isinstance(result, StuckError) or result.outcome == REFUSED for result in results):\n",
            "    if False:\n",
        ),
        f"{_PARKED_TESTS}test_one_that_is_not_stuck_does_not_stop_the_others",
    ),
    _said(
        "a signal while the interpreter ends changes the exit code",
        Edit(
            "tierkeeper/cli/support/interruption.py",
            "handler if interruption.number is None else signal.SIG_IGN",
            "handler",
        ),
        "tests/unit/cli/support/test_interruption.py::test_a_signal_while_the_interpreter_ends_changes_no_exit_code",
    ),
    _said(
        "a question that nothing answers is a no",
        Edit(
            "tierkeeper/cli/support/questions.py",
            "        if isinstance(abort.__context__, EOFError) and not streams.can_ask():\n",
            "        if False:\n",
        ),
        "tests/unit/cli/support/test_questions.py::test_a_missing_answer_names_the_option_that_gives_it",
    ),
    _said(
        "help loads all that its command works with",
        Edit("tierkeeper/cli/support/__init__.py", "if not TYPE_CHECKING:", "if TYPE_CHECKING:"),
        "tests/unit/cli/test_imports.py::test_help_loads_click_alone",
    ),
    _said(
        "a full device is a defect of ours",
        Edit(_STREAMS, "    if error.errno in _FULL:", "    if False:"),
        f"{_STREAMS_TESTS}test_a_full_device_is_said_once",
    ),
    _said(
        "the interpreter tells of a full device once more",
        Edit(_STREAMS, "            _drop_output()\n", "            pass\n"),
        f"{_STREAMS_TESTS}test_a_full_device_is_said_once",
    ),
    _said(
        "a locale of ASCII ends the command",
        Edit(_STREAMS, "stream.reconfigure(errors=_REPLACING)", "pass"),
        f"{_STREAMS_TESTS}test_a_locale_that_prints_ascii_alone",
    ),
    _said(
        "JSON loses what the locale cannot print",
        Edit(
            "tierkeeper/cli/support/output.py", "ensure_ascii=not streams.takes_all(sys.stdout)", "ensure_ascii=False"
        ),
        f"{_STREAMS_TESTS}test_a_locale_that_prints_ascii_alone",
    ),
    _said(
        "a target that cannot be written is told by its temporary name",
        Edit("tierkeeper/cli/support/targets.py", "str(path))  # not", "error.filename)  # not"),
        "tests/integration/cli/commands/test_storing_and_reading.py::test_a_target_that_cannot_be_written",
    ),
    _said(
        "a catalog of any encoding is used",
        Edit(_DATABASE, "        check_encoding(opened)\n", ""),
        _ENCODING,
    ),
    _said(
        "a time without a zone is one of UTC",
        Edit(
            "tierkeeper/cli/support/params.py",
            "        if read.tzinfo is None:\n",
            "        read = read if read.tzinfo else read.replace(tzinfo=UTC)\n        if read.tzinfo is None:\n",
        ),
        "tests/unit/cli/support/test_params.py::test_a_time_without_a_zone_is_refused",
    ),
    _said(
        "metadata that Python cannot hold is an unexpected error",
        Edit(
            "tierkeeper/cli/support/params.py",
            "        except (ValueError, RecursionError) as error:",
            "        except json.JSONDecodeError as error:",
        ),
        "tests/unit/cli/support/test_params.py::test_metadata_that_cannot_be_read_is_a_usage_error",
    ),
    _said(
        "a version of thousands of digits is an unexpected error",
        Edit("tierkeeper/cli/support/params.py", "len(digits) > LONGEST_VERSION or ", ""),
        "tests/unit/cli/support/test_params.py::test_a_name_with_parts_missing_is_refused",
    ),
    _said(
        "a dump's manifest that is damaged is an unexpected error",
        Edit(
            "tierkeeper/engine/recovery/dump_files.py",
            "    except (ValueError, KeyError, TypeError, RecursionError) as error:",
            "    except ZeroDivisionError as error:",
        ),
        "tests/integration/engine/recovery/test_rebuild.py::test_a_broken_dump_leaves_the_catalog_empty",
    ),
    _said(
        "times of tables are those of UTC",
        Edit(
            "tierkeeper/cli/support/output.py",
            "value.astimezone(UTC if found is not None and found.utc else None)",
            "value.astimezone(UTC)",
        ),
        f"{_OUTPUT_TESTS}test_times_say_their_zone",
    ),
    _said(
        "a long reference is broken over lines",
        Edit(_TABLES, "                self._shorten_references()\n", ""),
        f"{_OUTPUT_TESTS}test_a_reference_is_never_broken",
    ),
    _said(
        "a long reference of one artifact is broken over lines",
        Edit(_TABLES, "made = PairTable(", "made = PlainTable("),
        f"{_OUTPUT_TESTS}test_a_reference_is_never_broken",
    ),
    _said(
        "a dry purge says nothing of the brake",
        Edit(
            "tierkeeper/engine/gates/bulk.py",
            "        if limit is not None and counts[tenant] > max(limit, allowed):",
            "        if False:",
        ),
        "tests/integration/cli/commands/test_deciding.py::test_a_dry_run_tells_of_the_brake",
    ),
)
