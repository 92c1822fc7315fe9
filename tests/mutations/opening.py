"""What the machine does to a process: files that another party may have put there, servers that die."""

from functools import partial

from mutations.mutant import Edit, Mutant, one_edit

_FILES = "client/src/tierkeeper_client/files.py"
_WATCH = "tierkeeper/cli/support/serverwatch.py"
_SERVERS = "tests/integration/embedded/test_services.py::"
_OWNERSHIP = "tierkeeper/base/ownership.py"
_PROCESS = "tierkeeper/embedded/process.py"
_MODES = "tierkeeper/stores/filesystem/modes.py"
_FOLDERS = "tests/integration/stores/filesystem/test_store.py::"
_NAMES = "tests/integration/stores/filesystem/test_names.py::"
_LOCALES = "tests/unit/settings/test_locales.py::"
_STORE = "tierkeeper/stores/filesystem/store.py"
_TREE = "tierkeeper/stores/filesystem/tree.py"
_SPELLING = "tierkeeper/stores/filesystem/spelling.py"
_UNIT = "tests/unit/client/test_files.py::"
_SOURCES = "tests/integration/engine/ingest/test_sources.py::"
_SETTINGS = "tests/unit/settings/test_settings.py::"
_opens = partial(one_edit, "plain files")
_owns = partial(one_edit, "ownership")
_mode = partial(one_edit, "file modes")


OPENING = (
    _opens(
        "the names of files follow the locale",
        Edit(_FILES, 'return text.encode("utf-8", "surrogateescape")', "return os.fsencode(text)"),
        f"{_NAMES}test_a_process_with_another_locale_names_the_same_files",
    ),
    _opens(
        "the names that are listed follow the locale",
        Edit(_FILES, 'return os.fsencode(listed).decode("utf-8", "surrogateescape")', "return listed"),
        f"{_NAMES}test_a_process_with_another_locale_names_the_same_files",
    ),
    _opens(
        "a file that is spelled otherwise is absent",
        Edit(_TREE, "        if found is not None:", "        if False:"),
        f"{_NAMES}test_a_file_that_is_spelled_otherwise_is_not_absent",
    ),
    _opens(
        "a file that is spelled otherwise counts as deleted",
        Edit(_STORE, "                if not removed:", "                if False:"),
        f"{_NAMES}test_a_file_that_is_spelled_otherwise_is_not_absent",
    ),
    _opens(
        "a file that is spelled otherwise counts as lost",
        Edit(
            _STORE,
            "                self._tree.require_absent(location)\n                raise",
            "                raise",
        ),
        f"{_NAMES}test_a_file_that_is_spelled_otherwise_is_not_absent",
    ),
    _opens(
        "a name in another encoding is another's",
        Edit(_SPELLING, "if not _is_utf8(name) or ", "if "),
        f"{_NAMES}test_a_file_that_is_spelled_otherwise_is_not_absent",
    ),
    _opens(
        "a decomposed name is another's",
        Edit(_SPELLING, 'unicodedata.normalize("NFC", name) ==', "name =="),
        f"{_NAMES}test_a_file_that_is_spelled_otherwise_is_not_absent",
    ),
    _opens(
        "a stale folder proves an absence",
        Edit(_TREE, "    if error.errno == errno.ENOENT:", "    if error.errno in {errno.ENOENT, errno.ESTALE}:"),
        f"{_NAMES}test_a_stale_folder_proves_no_absence",
    ),
    _opens(
        "unfinished files that cannot be listed count as deleted",
        Edit(_STORE, "            self._translated(layout.STAGING),", "            contextlib.suppress(OSError),"),
        f"{_NAMES}test_unfinished_files_that_cannot_be_listed_are_not_deleted",
    ),
    _opens(
        "a tier's folder follows the locale",
        Edit(_STORE, "if not place.path.isascii() and not files.utf8_names():", "if False:"),
        f"{_LOCALES}test_folders_that_a_locale_names_otherwise_are_refused",
    ),
    _opens(
        "the folder of staging follows the locale",
        Edit(
            "client/src/tierkeeper_client/staging.py",
            "if not place.path.isascii() and not files.utf8_names():",
            "if False:",
        ),
        f"{_LOCALES}test_folders_that_a_locale_names_otherwise_are_refused",
    ),
    _opens(
        "a root of sources follows the locale",
        Edit("tierkeeper/settings/roots.py", "if not str(root).isascii() and not files.utf8_names():", "if False:"),
        f"{_LOCALES}test_folders_that_a_locale_names_otherwise_are_refused",
    ),
    _opens(
        "what was opened is not judged",
        Edit(_FILES, "    if not stat.S_ISREG(status.st_mode):", "    if False:"),
        f"{_UNIT}test_what_is_no_plain_file_is_not_opened",
    ),
    _opens(
        "a link in the place of a file is followed",
        Edit(_FILES, "_CAREFUL: Final = _NO_FOLLOW | ", "_CAREFUL: Final = "),
        f"{_UNIT}test_what_is_no_plain_file_is_not_opened",
        f"{_SOURCES}test_a_source_that_is_no_plain_file",
    ),
    _opens(
        "a hard link is taken",
        Edit(_FILES, "    if single and status.st_nlink != 1:", "    if False:"),
        f"{_UNIT}test_a_second_name_is_refused_where_asked_for",
    ),
    _opens(
        "a hard link is taken from below an allowed root",
        Edit(_FILES, "folder=folder, single=True)", "folder=folder)"),
        f"{_SOURCES}test_a_source_that_is_no_plain_file",
    ),
    _opens(
        "a hard link is taken from staging",
        Edit("tierkeeper/engine/ingest/sources.py", ", others_write=True)", ")"),
        f"{_SOURCES}test_an_upload_that_is_no_plain_file",
    ),
    _opens(
        "a folder below an allowed root that is a link is followed",
        Edit(_FILES, "_FOLDER | _NO_FOLLOW", "_FOLDER"),
        f"{_SOURCES}test_a_folder_that_is_swapped_for_a_link",
    ),
    _opens(
        "two dots lead out of an allowed root",
        Edit(_FILES, 'part in {"", ".", ".."}', 'part in {"", "."}'),
        f"{_UNIT}test_parts_that_are_no_names",
    ),
    _opens(
        "a root of sources may lie in what is tierkeeper's own",
        Edit("tierkeeper/settings/roots.py", "real.is_relative_to(other) or ", ""),
        f"{_SETTINGS}test_a_root_of_sources_that_overlaps_what_is_ours",
    ),
    _opens(
        "a root of sources may lie around what is tierkeeper's own",
        Edit("tierkeeper/settings/roots.py", " or other.is_relative_to(real)", ""),
        f"{_SETTINGS}test_a_root_of_sources_that_overlaps_what_is_ours",
    ),
    _opens(
        "a bucket of sources may be a tier's",
        Edit(
            "tierkeeper/settings/roots.py", "place.host.casefold() == bucket.casefold()", "place.host.casefold() == ''"
        ),
        f"{_SETTINGS}test_a_bucket_of_sources_that_is_ours",
    ),
    Mutant(
        "embedded servers",
        "a dead server is not seen",
        (Edit(_WATCH, "if member.server.process_id() is not None:", "if member is not None:"),),
        (f"{_SERVERS}test_killed_servers_are_started_again",),
    ),
    Mutant(
        "embedded servers",
        "a server that dies again and again is started for ever",
        (Edit(_WATCH, "            if deaths == DEATHS:", "            if deaths < 0:"),),
        (f"{_SERVERS}test_a_server_that_cannot_be_started_is_given_up",),
    ),
    _owns(
        "another user's settings decide",
        Edit(_OWNERSHIP, "    if status.st_uid not in {os.geteuid(), 0}:", "    if False:"),
        f"{_SETTINGS}test_a_folder_that_another_user_prepared",
    ),
    _owns(
        "root takes what any user owns",
        Edit(_OWNERSHIP, "not in {os.geteuid(), 0}:", "not in {os.geteuid(), 0} and os.geteuid():"),
        f"{_SETTINGS}test_a_folder_that_another_user_prepared",
    ),
    _owns(
        "what everybody can write is believed",
        Edit(_OWNERSHIP, "    if status.st_mode & stat.S_IWOTH:", "    if False:"),
        f"{_SETTINGS}test_a_file_of_settings_that_everybody_can_write",
    ),
    _owns(
        "what another group can write is believed",
        Edit(_OWNERSHIP, "    if status.st_mode & stat.S_IWGRP and", "    if False and"),
        f"{_SETTINGS}test_a_group_that_may_write",
    ),
    _owns(
        "another user's link to a file of ours is followed",
        Edit(_OWNERSHIP, "    _check_owner(link, link.lstat())\n", ""),
        f"{_SETTINGS}test_a_folder_that_another_user_prepared",
    ),
    _owns(
        "a home that others can write is used",
        Edit(_PROCESS, "        ownership.check(path, status, group=group)\n", ""),
        f"{_SERVERS}test_a_home_that_others_can_write",
    ),
    _owns(
        "a file of the home that others can write is used",
        Edit(_PROCESS, "        ownership.check(path, os.fstat(file))\n", "        pass\n"),
        f"{_SERVERS}test_a_home_that_others_can_write",
    ),
    _owns(
        "a file of the home may be another file's second name",
        Edit(_PROCESS, "flags=flags | os.O_CREAT, single=True)", "flags=flags | os.O_CREAT)"),
        f"{_SERVERS}test_a_file_of_the_home_that_is_a_link",
    ),
    _owns(
        "a log is written wherever a link leads",
        Edit("tierkeeper/embedded/valkey.py", "private_log(self.log)", "self.log"),
        f"{_SERVERS}test_a_file_of_the_home_that_is_a_link",
    ),
    _owns(
        "servers make their files by the umask",
        Edit(_PROCESS, "umask=0o077", "umask=-1"),
        f"{_SERVERS}test_a_home_is_private_whatever_the_umask",
    ),
    _mode(
        "the umask takes from a copy's mode",
        Edit("tierkeeper/stores/filesystem/writing.py", "        give_mode(file, mode)", "        pass"),
        f"{_FOLDERS}test_modes_whatever_the_umask",
    ),
    _mode(
        "everybody in the group reads the dumps",
        Edit(_MODES, "_OWN: Final = 0o600", "_OWN: Final = 0o640"),
        f"{_FOLDERS}test_modes_whatever_the_umask",
    ),
    _mode(
        "folders of a tier are made by the umask",
        Edit("tierkeeper/stores/filesystem/tree.py", "            give_mode(inner, FOLDER_MODE)", "            pass"),
        f"{_FOLDERS}test_modes_whatever_the_umask",
    ),
    _mode(
        "maintain gives more than there was",
        Edit(_MODES, "(file, stat.S_IMODE(os.fstat(file).st_mode) & wanted)", "(file, wanted)"),
        f"{_FOLDERS}test_modes_of_earlier_releases",
    ),
    _mode(
        "a tier that is away keeps maintain from the others",
        Edit(
            "tierkeeper/engine/operations/maintain.py",
            "        except StoreError as error:  # of one tier; health tells of it",
            "        except ZeroDivisionError as error:",
        ),
        "tests/integration/engine/operations/test_modes.py::test_maintain_changes_them_and_counts",
    ),
    _mode(
        "a tier is walked for good",
        Edit(_MODES, '    if known["after"] is None:\n', "    if False:\n"),
        "tests/integration/engine/operations/test_modes.py::test_a_tier_that_was_looked_at_is_not_walked_again",
    ),
    _mode(
        "a tier that was changed behind the walk is done",
        Edit(_MODES, '"after": "" if again else None', '"after": None'),
        "tests/integration/engine/operations/test_modes.py::test_a_tier_that_was_looked_at_is_not_walked_again",
    ),
    _mode(
        "a large tier is walked from its beginning each time",
        Edit(
            _MODES,
            '    after = unquote_to_bytes(known["after"]).decode("utf-8", "surrogateescape")\n',
            '    after = ""\n',
        ),
        f"{_FOLDERS}test_a_look_at_modes_continues_where_the_last_one_ended",
    ),
    _mode(
        "a folder's files are all asked for their status before the first is looked at",
        Edit(_MODES, "part = names[start : start + _PART]", "part = names"),
        f"{_FOLDERS}test_a_large_folder_is_looked_at_in_parts",
    ),
    _mode(
        "an upload is for whom the umask says",
        Edit("client/src/tierkeeper_client/staging.py", "0o600 | self._folder.stat().st_mode & 0o044", "0o600"),
        "tests/unit/client/test_staging.py::test_who_may_read_the_folder_may_read_an_upload",
    ),
)
