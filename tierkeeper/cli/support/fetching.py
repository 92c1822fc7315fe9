"""Reads many artifacts into a folder: equal files stay, others are replaced only when told, a rerun does the rest."""

import os
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from tierkeeper.base.errors import FileUnusable, InvalidInput, NothingToSelect
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import bulk, messages, output, params, targets, transfers
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import ItemError, Ref
from tierkeeper_client import files
from tierkeeper_client.digest import digest_of
from tierkeeper_client.errors import TierkeeperError

READ: Final = "read"
EQUAL: Final = "equal"
_THREADS: Final = 8
_BATCH: Final = 200  # files between two lines of progress, and at most at work when the command is stopped


@dataclass(frozen=True, slots=True)
class FileToRead:
    """An artifact to read, and the file that it is to become."""

    ref: Ref
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The outcome of one artifact: READ, or EQUAL where the file had its bytes already."""

    ref: Ref
    path: str
    size: int
    sha256: str
    outcome: str


def selected(session: Session, chosen: params.Chosen, target: Path) -> list[FileToRead]:
    """Return what the filter selects, each to be WORKFLOW/NAME below ``target``; raises NothingToSelect."""
    session.check_tier(chosen.filter.tier)
    views = (
        view for view in session.closed_at_end(session.keeper.artifacts.select(chosen.filter)) if chosen.keep(view)
    )
    wanted = [
        FileToRead(view.ref, target / view.ref.workflow / view.ref.name, view.size, view.sha256)
        for view in islice(views, chosen.limit)
    ]
    if not wanted:
        raise NothingToSelect(filter=bulk.describe(chosen))
    return wanted


def fetch(session: Session, wanted: Sequence[FileToRead], target: Path, *, deleted: bool, force: bool) -> None:
    """Read them all into the folder ``target`` and print the outcomes; the exit code is 7 if some failed.

    What the next ones would meet too, as of a folder that is full or a catalog that is away, ends the command once.

    Artifacts whose names a file system may take for one, such as ``a`` and ``A``, are read one after the other, the
    later ones without ``force``.
    """
    results: list[FetchResult | ItemError] = []
    began = time.monotonic()
    artifacts = session.keeper.artifacts  # opened in this thread
    first, alike = _apart(wanted)
    targets.make_folder(target)

    of_all: list[TierkeeperError] = []  # what ended the command: a thread that is ahead begins nothing after it

    def read_one(each: FileToRead, *, replace: bool = force) -> FetchResult | ItemError:
        if of_all:
            raise of_all[0]
        try:
            if _stays(each, force=replace):
                return FetchResult(each.ref, str(each.path), each.size, each.sha256, EQUAL)
            with targets.written(each.path, make_folder=True):
                artifacts.write(each.ref, each.path, deleted=deleted)
        except TierkeeperError as error:
            if _is_of_all(error, target):
                of_all.append(error)
                raise
            return ItemError(ref=each.ref, error=error.as_dict())
        return FetchResult(each.ref, str(each.path), each.size, each.sha256, READ)

    try:
        size = sum(each.size for each in wanted)
        with (
            transfers.progress(session.output, "reading", items=len(wanted), size=size) as advance,
            ThreadPoolExecutor(_THREADS, thread_name_prefix="fetching") as threads,
        ):
            for start in range(0, len(first), _BATCH):
                batch = first[start : start + _BATCH]
                results.extend(threads.map(read_one, batch))
                advance(len(batch), sum(each.size for each in batch))
            for each in alike:
                results.append(read_one(each, replace=False))
                advance(1, each.size)
    except BaseException:
        _report_early(session, results, began)
        raise
    _report(session, results, began)
    if any(isinstance(result, ItemError) for result in results):
        click.get_current_context().exit(messages.SOME_FAILED)


def _is_of_all(error: TierkeeperError, target: Path) -> bool:
    """Return True for an error that the next artifacts would meet too, as where ``target`` takes nothing more."""
    if isinstance(error, FileUnusable):
        return not _takes_files(target)
    return error.of_all


def _takes_files(folder: Path) -> bool:
    """Return True if a file can be made in the folder; what its permissions say of that is not always so."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _apart(wanted: Iterable[FileToRead]) -> tuple[list[FileToRead], list[FileToRead]]:
    """Return the artifacts, and apart from them those whose paths some file systems take for an earlier one's."""
    seen: set[str] = set()
    first: list[FileToRead] = []
    alike: list[FileToRead] = []
    for each in wanted:
        key = unicodedata.normalize("NFC", str(each.path)).casefold()
        (alike if key in seen else first).append(each)
        seen.add(key)
    return first, alike


def _stays(wanted: FileToRead, *, force: bool) -> bool:
    """Return True if the file has the artifact's bytes. Raises InvalidInput where another one must not be replaced."""
    path = wanted.path
    if not os.path.lexists(path):
        return False
    if path.is_dir():
        fix = "Read it into another folder."
        raise InvalidInput(field="TARGET", value=str(path), problem="a folder is there", fix=fix)
    try:
        with files.reading(path) as file:
            if os.fstat(file.fileno()).st_size == wanted.size and digest_of(file).sha256.hex() == wanted.sha256:
                return True
    except OSError:  # a link, a pipe, a file that cannot be read: another one
        pass
    if not force:
        fix = "Use --force to replace it, or another folder."
        raise InvalidInput(field="TARGET", value=str(path), problem="another file is there already", fix=fix)
    return False


def _report_early(session: Session, results: Sequence[FetchResult | ItemError], began: float) -> None:
    """Say what was read before the end, if anything was."""
    if not results:
        return
    if session.output.as_json:
        session.output.document(results)
    session.output.warn(f"before it ended: {_sum(results, began)}; the same command reads the rest")


def _report(session: Session, results: Sequence[FetchResult | ItemError], began: float) -> None:
    if session.output.as_json:
        session.output.document(list(results))
        return
    listed = results if session.output.verbose else [r for r in results if isinstance(r, ItemError)]
    if listed:
        table = output.table("artifact", "outcome", "size", "file", right=["size"], fold=["artifact", "file"])
        for result in listed:
            if isinstance(result, ItemError):
                table.add_row(str(result.ref), output.word("error"), "", Text(str(result.error["message"])))
            else:
                table.add_row(str(result.ref), result.outcome, output.size(result.size), result.path)
        session.output.print(table)
    session.output.print(_sum(results, began))


def _sum(results: Sequence[FetchResult | ItemError], began: float) -> str:
    outcomes = Counter("failed" if isinstance(r, ItemError) else r.outcome for r in results)
    size = sum(r.size for r in results if isinstance(r, FetchResult) and r.outcome == READ)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    spent = output.span(timedelta(seconds=time.monotonic() - began))
    return f"{format_count(len(results), 'artifact')}: {counts}; {output.size(size)} read in {spent}"
