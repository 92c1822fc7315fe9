"""What the machine does to a process: files that another party may have put there, servers that die."""

from mutations.mutant import Edit, Mutant

_FILES = "client/src/tierkeeper_client/files.py"
_WATCH = "tierkeeper/cli/support/serverwatch.py"
_SERVERS = "tests/integration/embedded/test_services.py::"
_UNIT = "tests/unit/client/test_files.py::"
_SOURCES = "tests/integration/engine/ingest/test_sources.py::"
_SETTINGS = "tests/unit/settings/test_settings.py::"


def _opens(what: str, edit: Edit, *tests: str) -> Mutant:
    return Mutant("plain files", what, (edit,), tests)


OPENING = (
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
)
