"""Folders in and out: nothing is left out silently, no file of the user's is replaced, one bad file fails alone."""

from functools import partial

from mutations.mutant import Edit, one_edit

_WALK = "tierkeeper/cli/support/sourcefiles.py"
_STORING = "tierkeeper/cli/support/storing.py"
_BULK = "tierkeeper/cli/support/bulk.py"
_MESSAGES = "tierkeeper/cli/support/messages.py"
_FETCHING = "tierkeeper/cli/support/fetching.py"
_SOURCES = "tierkeeper/engine/ingest/sources.py"
_WRITING = "tierkeeper/engine/ingest/writing.py"
_PASSES = "tests/integration/engine/ingest/test_passes.py::"
_STAGING = "client/src/tierkeeper_client/staging.py"
_STREAMS = "tierkeeper/cli/support/streams.py"
_ENQUEUING = "tierkeeper/cli/support/enqueuing.py"
_TRANSFERS = "tierkeeper/cli/support/transfers.py"
_TARGETS = "tierkeeper/cli/support/targets.py"
_GET = "tierkeeper/cli/commands/get.py"
_READING = "tests/integration/cli/commands/test_storing_and_reading.py::"
_SUPPORT = "tests/unit/cli/support/"
_FILES = "client/src/tierkeeper_client/files.py"
_COMMAND = "tierkeeper/cli/commands/store.py"
_UNIT = "tests/unit/cli/support/test_sourcefiles.py::"
_TESTS = "tests/integration/cli/commands/test_folders.py::"
_folder = partial(one_edit, "folders")


FOLDERS = (
    _folder(
        "what the next sweep deletes is told to who is asked alone",
        Edit(
            _COMMAND,
            '    if options["created"] is not None:\n',
            "    if options[\"created\"] == 'mtime' and not yes:\n",
        ),
        f"{_TESTS}test_what_the_next_sweep_deletes_is_always_told",
    ),
    _folder(
        "what is sent needs a catalog where it is sent",
        Edit(_COMMAND, "        if ask or not enqueued:\n", "        if True:\n"),
        f"{_TESTS}test_what_is_sent_needs_no_catalog_where_it_is_sent",
    ),
    _folder(
        "a pipe is replaced by the events",
        Edit(_TARGETS, "    device = device_at(path) if named else None\n", "    device = None\n"),
        f"{_READING}test_what_is_no_file_is_written_to_and_links_stay",
    ),
    _folder(
        "a pipe is replaced by an artifact",
        Edit(_GET, "    device = targets.device_at(path)\n", "    device = None\n"),
        f"{_READING}test_what_is_no_file_is_written_to_and_links_stay",
    ),
    _folder(
        "a link that the user named is replaced",
        Edit(_TARGETS, "    return Path(os.path.realpath(path))", "    return path"),
        f"{_READING}test_what_is_no_file_is_written_to_and_links_stay",
    ),
    _folder(
        "a socket or a disk is written to",
        Edit(_TARGETS, "    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):", "    if True:"),
        f"{_READING}test_what_is_no_file_is_written_to_and_links_stay",
    ),
    _folder(
        "events go into a file named -",
        Edit("tierkeeper/cli/commands/events.py", '    if target == "-":', "    if False:"),
        f"{_READING}test_events_are_exported_to_stdout",
    ),
    _folder(
        "a missing folder becomes a file",
        Edit(_GET, "if _is_folder(target) else", "if Path(target).is_dir() else"),
        f"{_READING}test_a_target_that_ends_with_a_slash_is_a_folder",
    ),
    _folder(
        "a target is not made before its files",
        Edit(_FETCHING, "    targets.make_folder(target)\n", ""),
        f"{_TESTS}test_a_target_that_takes_nothing_more_ends_the_command",
    ),
    _folder(
        "a target that takes nothing is tried for each artifact",
        Edit(_FETCHING, "        return not _takes_files(target)", "        return False"),
        f"{_TESTS}test_a_target_that_takes_nothing_more_ends_the_command",
    ),
    _folder(
        "a name that the locale has not is a defect of ours",
        Edit(_TARGETS, "        if _has_name(path):", "        if True:"),
        f"{_SUPPORT}test_targets.py::test_a_name_that_the_locale_has_not",
    ),
    _folder(
        "a link is skipped silently",
        Edit(_WALK, '            self._leave(path, "it is a link; --follow-links takes what it leads to")\n', ""),
        f"{_UNIT}test_every_entry_is_taken_or_left_out_with_its_reason",
    ),
    _folder(
        "a folder that cannot be read is skipped silently",
        Edit(_WALK, '            self._leave(folder.path, f"the folder cannot be read: {error.strerror}")\n', ""),
        f"{_UNIT}test_every_entry_is_taken_or_left_out_with_its_reason",
    ),
    _folder(
        "links are followed in circles",
        Edit(_WALK, "        if identity in folder.above:", "        if False:"),
        f"{_UNIT}test_links_are_followed_when_asked_and_not_for_ever",
    ),
    _folder(
        "the installation is stored into itself",
        Edit(_WALK, "        if own := self._own.get(identity):", "        if own := None:"),
        f"{_UNIT}test_the_installation_is_not_stored_into_itself",
    ),
    _folder(
        "two files get one name",
        Edit(_WALK, "        if first is not None:", "        if False:"),
        f"{_UNIT}test_names_of_macos_are_composed_when_asked",
    ),
    _folder(
        "a file that is named twice is stored twice",
        Edit(_WALK, "        if first == file.path:", "        if False:"),
        f"{_UNIT}test_a_folder_that_is_named_twice_is_taken_once",
    ),
    _folder(
        "bad names are left out unasked",
        Edit(_COMMAND, '[] if options["skip_bad_names"] else walk.result.bad_names', "[]"),
        f"{_TESTS}test_bad_names_are_all_named_and_skipped_when_asked",
    ),
    _folder(
        "one of two files of one name is left out",
        Edit(_COMMAND, "    if bad or walk.result.doubled:", "    if bad:"),
        f"{_TESTS}test_two_files_of_one_name_are_refused_as_such",
    ),
    _folder(
        "what is left out is no reason for another exit code",
        Edit(_STORING, "    if left_out or any(", "    if any("),
        f"{_TESTS}test_what_is_left_out_is_listed",
    ),
    _folder(
        "what a policy would purge at once is stored unasked",
        Edit("tierkeeper/engine/ingest/foresight.py", "is Action.DELETE", "is Action.DESTROY"),
        f"{_TESTS}test_files_keep_their_times_and_none_is_purged_unasked",
    ),
    _folder(
        "a file that cannot be opened fails its batch",
        Edit(
            "tierkeeper/engine/ingest/sources.py",
            "    with _readable(ref):\n        file = opening()\n",
            "    file = opening()\n",
        ),
        f"{_TESTS}test_one_bad_file_fails_none_of_its_batch",
    ),
    _folder(
        "another file is replaced unasked",
        Edit(_FETCHING, "    if not force:\n        fix", "    if False:\n        fix"),
        f"{_TESTS}test_other_files_stay_unless_told_and_stop_nothing",
    ),
    _folder(
        "a file of the same size counts as equal",
        Edit(_FETCHING, " and digest_of(file).sha256.hex() == wanted.sha256", ""),
        f"{_TESTS}test_other_files_stay_unless_told_and_stop_nothing",
    ),
    _folder(
        "a source that cannot be read is a store's fault",
        Edit(
            _SOURCES,
            "        with _readable(self._ref):\n            if self.end",
            "        if True:\n            if self.end",
        ),
        "tests/unit/engine/ingest/test_sources.py::test_a_source_that_cannot_be_read_is_invalid_input",
    ),
    _folder(
        "what is appended while a file is read is in its second pass",
        Edit(_SOURCES, "    source.end = start + digest.size\n", "    source.end = None\n"),
        f"{_PASSES}test_of_a_file_that_is_appended_to_its_beginning_is_stored[folder]",
    ),
    _folder(
        "a file that grows is read for ever",
        Edit(_SOURCES, "        source.end = end if end > start else None\n", ""),
        "tests/unit/engine/ingest/test_sources.py::test_a_file_that_grows_faster_than_it_is_read_ends",
    ),
    _folder(
        "a file that says it is empty is stored as empty",
        Edit(_SOURCES, "source.end = end if end > start else None", "source.end = end"),
        "tests/unit/engine/ingest/test_sources.py::test_a_file_that_says_it_is_empty_is_read",
    ),
    _folder(
        "a source that changes is a tier's fault",
        Edit(_WRITING, "item.content.changed(progressed) or error", "error"),
        f"{_PASSES}test_a_file_that_changes_between_the_passes_is_refused[folder]",
        "tests/integration/engine/ingest/test_sources.py::test_content_that_is_replaced_between_the_passes",
    ),
    _folder(
        "a tier's fault is a source's",
        Edit(_SOURCES, "        if (found.size, found.sha256) == (self.size, self.sha256):", "        if False:"),
        "tests/integration/engine/ingest/test_sources.py::test_a_tier_that_is_at_fault_is_named",
    ),
    _folder(
        "what stands in the way of a file is a matter of permissions",
        Edit(
            "tierkeeper/cli/support/targets.py",
            "        if (way := _in_the_way(path, error)) is not None:\n",
            "        if way := None:\n",
        ),
        f"{_SUPPORT}test_targets.py::test_what_stands_in_the_way_is_named",
    ),
    _folder(
        "an output that is read no more is a defect",
        Edit(_STREAMS, "    if error.errno != errno.EPIPE or", "    if True or"),
        "tests/unit/cli/test_streams.py::test_an_output_that_is_read_no_more",
    ),
    _folder(
        "a pipe that another connection lost is the output's",
        Edit(
            _STREAMS,
            "error.filename is not None or not _met_by_a_writer(error):\n        return False\n    _drop",
            "error.filename is not None:\n        return False\n    _drop",
        ),
        "tests/unit/cli/test_streams.py::test_a_pipe_that_is_not_the_outputs",
    ),
    _folder(
        "a spool that is full is not named",
        Edit(_SOURCES, "        with _folder_named(), ExitStack() as filling:", "        with ExitStack() as filling:"),
        "tests/unit/engine/ingest/test_sources.py::test_a_spool_that_is_full_is_named",
    ),
    _folder(
        "a source that cannot be read is a fault of staging",
        Edit(
            _STAGING,
            "        except OSError as error:  # of the source,",
            "        except ZeroDivisionError as error:  # of the source,",
        ),
        "tests/unit/client/test_staging.py::test_a_broken_upload_leaves_nothing",
    ),
    _folder(
        "whatever is full is the output",
        Edit(_STREAMS, "            if not _met_by_a_writer(error):", "            if False:"),
        "tests/unit/cli/test_streams.py::test_an_unnamed_error_is_the_outputs_where_a_writer_met_it",
    ),
    _folder(
        "a target that is full is an error of each artifact",
        Edit(_FETCHING, "    return error.of_all", "    return False"),
        f"{_TESTS}test_a_target_that_takes_nothing_more_ends_the_command",
    ),
    _folder(
        "a target that cannot be written is an error of each artifact",
        Edit(_FETCHING, "    if isinstance(error, FileUnusable):", "    if False:"),
        f"{_TESTS}test_a_target_that_takes_nothing_more_ends_the_command",
    ),
    _folder(
        "what was stored beside the first failure is not said",
        Edit(_STORING, "                        yield from _finished(waiting)\n", ""),
        f"{_SUPPORT}test_storing.py::test_what_was_stored_beside_the_first_failure_is_said",
    ),
    _folder(
        "a catalog that is away is waited for in each batch",
        Edit(_STORING, "if first or error.of_all:", "if first:"),
        f"{_SUPPORT}test_storing.py::test_a_catalog_that_goes_away_is_waited_for_once",
    ),
    _folder(
        "a broker that is away is waited for in each message",
        Edit(_ENQUEUING, "        if error.of_all:", "        if False:"),
        f"{_SUPPORT}test_enqueuing.py::test_what_was_sent_before_an_early_end_is_said",
    ),
    _folder(
        "what was sent before an early end is not said",
        Edit(
            _ENQUEUING,
            "        if sent.messages:\n            _print_sent",
            "        if False:\n            _print_sent",
        ),
        f"{_SUPPORT}test_enqueuing.py::test_what_was_sent_before_an_early_end_is_said",
    ),
    _folder(
        "a catalog that is away is asked for each artifact to read",
        Edit(_FETCHING, "    return error.of_all", '    return error.code == "OutputFull"'),
        f"{_SUPPORT}test_fetching.py::test_what_every_artifact_would_meet_ends_the_command_once",
    ),
    _folder(
        "a catalog that is away is asked for each artifact of a verb",
        Edit(_BULK, "if len(arguments) == 1 or error.of_all:", "if len(arguments) == 1:"),
        f"{_SUPPORT}test_bulk.py::test_what_every_artifact_would_meet_ends_the_command_once",
    ),
    _folder(
        "what a verb did before an early end is not said",
        Edit(_BULK, "        if results:\n            report", "        if False:\n            report"),
        f"{_SUPPORT}test_bulk.py::test_what_every_artifact_would_meet_ends_the_command_once",
    ),
    _folder(
        "what was done of a plan before an early end is not said",
        Edit(
            "tierkeeper/cli/support/plans.py",
            "        if done.counts:\n            _print_applied",
            "        if False:\n            _print_applied",
        ),
        f"{_SUPPORT}test_plans.py::test_what_was_done_before_an_early_end_is_said",
    ),
    _folder(
        "a catalog that is away is asked for each message",
        Edit(_MESSAGES, "if len(posts) == 1 or error.of_all:", "if len(posts) == 1:"),
        f"{_SUPPORT}test_messages.py::test_a_catalog_that_is_away_too_is_asked_once",
    ),
    _folder(
        "a result store that is away is asked for each task",
        Edit(_MESSAGES, "                except ResultUnavailable:", "                except ZeroDivisionError:"),
        f"{_SUPPORT}test_messages.py::test_tasks_are_told_where_waiting_ends_early",
    ),
    _folder(
        "tasks are forgotten where waiting ends early",
        Edit(
            _MESSAGES,
            "            _print_sent(session, sent)\n            session.output.warn(STILL",
            "            session.output.warn(STILL",
        ),
        f"{_SUPPORT}test_messages.py::test_tasks_are_told_where_waiting_ends_early",
    ),
    _folder(
        "tasks of files are forgotten where waiting ends early",
        Edit(
            _ENQUEUING,
            "            _print_sent(session, sent, left_out, tasks=True)\n            session.output.warn(messages",
            "            session.output.warn(messages",
        ),
        f"{_SUPPORT}test_enqueuing.py::test_tasks_are_told_where_waiting_ends_early",
    ),
    _folder(
        "what was stored before an early end is no document",
        Edit(
            _STORING,
            "                session.output.document([*results, *left_out])\n            session",
            "                pass\n            session",
        ),
        f"{_SUPPORT}test_storing.py::test_a_catalog_that_goes_away_is_waited_for_once",
    ),
    _folder(
        "how far many files came is forgotten",
        Edit(_TRANSFERS, "        out.reached = state.done()\n", ""),
        f"{_SUPPORT}test_transfers.py::test_how_far_it_came_is_kept",
    ),
    _folder(
        "bytes are told once more for each store",
        Edit(_TRANSFERS, "            self._furthest = self._at\n        return", "        return"),
        f"{_SUPPORT}test_transfers.py::test_bytes_are_told_once_while_they_are_written",
    ),
    _folder(
        "a folder of another process gets our mode",
        Edit(
            _FILES, "        else:\n            folder.chmod(mode)", "        finally:\n            folder.chmod(mode)"
        ),
        "tests/unit/client/test_files.py::test_a_folder_that_another_made_meanwhile_keeps_its_mode",
    ),
    _folder(
        "a decision's reason is as long as it likes",
        Edit(
            "tierkeeper/cli/support/session.py",
            "                session.check_reason(reason)\n",
            "                pass\n",
        ),
        f"{_SUPPORT}test_groups.py::test_a_reason_is_as_long_as_the_settings_allow",
    ),
)
