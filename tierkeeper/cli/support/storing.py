"""Stores many files, here or by the workers, batch by batch; reports the sum, and each item with ``-v``."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, BinaryIO, Final, cast

import click
from rich.text import Text

from tierkeeper.base.callers import Caller
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import messages, output, sourcefiles, transfers
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.sourcefiles import LeftOut, SourceFile
from tierkeeper.keeper.artifacts import Artifacts
from tierkeeper.values.artifacts import ItemError, ItemResult, Ref, StoreResult
from tierkeeper_client.contract import StoreArgs
from tierkeeper_client.errors import TierkeeperError

#: of one batch: a crash or an interruption costs at most so much work, and its files are committed together
ITEMS: Final = 500
BYTES: Final = 64 * 1024 * 1024
_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # what breaks the row of a table
_AT_ONCE: Final = 2  # batches
FEW: Final = 10  # files, all named by the user, whose outcomes are listed without -v


@dataclass(frozen=True, slots=True)
class FileItem:
    """A file with the arguments of its store."""

    file: SourceFile
    args: StoreArgs

    @property
    def ref(self) -> Ref:
        """The artifact's name."""
        return Ref(self.args.tenant, self.args.workflow, self.args.name)

    @property
    def size(self) -> int:
        """The bytes of the file, 0 where they are not known."""
        return self.file.size or 0


#: a batch, and what becomes of it
_AtWork = tuple[list[FileItem], Future[list[ItemResult]]]


def batches(
    items: Sequence[FileItem], *, most: int, size: int, weight: Callable[[FileItem], int] = attrgetter("size")
) -> Iterator[list[FileItem]]:
    """Yield the items in their order, in batches of at most so many and, but for a single item, bytes."""
    batch: list[FileItem] = []
    held = 0
    for item in items:
        if batch and (len(batch) == most or held + weight(item) > size):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += weight(item)
    if batch:
        yield batch


def store_here(session: Session, items: Sequence[FileItem], left_out: Sequence[LeftOut]) -> None:
    """Store the files in this process and print the outcomes; the exit code is 7 if some failed or were left out."""
    results: list[ItemResult] = []
    began = time.monotonic()
    size = sum(item.size for item in items)
    told: Counter[str] = Counter()  # bytes of large files, by name, that were counted before their batch was done
    try:
        with transfers.progress(session.output, "storing", items=len(items), size=size) as advance:

            def read(item: FileItem, count: int) -> None:
                more = min(count, item.size - told[item.args.name])  # it may have grown
                told[item.args.name] += more
                advance(0, more)

            for batch, stored in _stored(session, batches(items, most=ITEMS, size=BYTES), read):
                results.extend(stored)
                advance(len(batch), sum(item.size - told[item.args.name] for item in batch))
    except BaseException:
        if results:
            if session.output.as_json:
                session.output.document([*results, *left_out])
            session.output.warn(f"before it ended: {_sum(results, began)}; the same command stores the rest")
        raise
    tell_grown(session, items, results)
    report(session, items, results, left_out, began)
    if left_out or any(isinstance(result, ItemError) for result in results):
        click.get_current_context().exit(messages.SOME_FAILED)


def _stored(
    session: Session, given: Iterable[list[FileItem]], read: Callable[[FileItem, int], None]
) -> Iterator[tuple[list[FileItem], list[ItemResult]]]:
    """Store the batches, one being read and written while another one is committed; yield each with its outcomes.

    The error of a whole batch is that of each of its items. The first one's is raised, and one that every later batch
    would meet too, as of a catalog that is away: no further batch is begun, and those at work are yielded before.
    """
    waiting: deque[_AtWork] = deque()
    artifacts = session.keeper.artifacts  # opened in this thread
    first = True
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="batches") as threads:
        turns: Iterator[list[FileItem] | None] = chain(given, repeat(None, _AT_ONCE))  # the last ones only wait
        for batch in turns:
            if batch is not None:
                waiting.append((batch, threads.submit(_store, artifacts, batch, session.caller, read)))
            if waiting and (batch is None or len(waiting) == _AT_ONCE):
                done, future = waiting.popleft()
                try:
                    yield done, future.result()
                except TierkeeperError as error:
                    if first or error.of_all:
                        yield from _finished(waiting)
                        raise
                    yield done, [ItemError(ref=item.ref, error=error.as_dict()) for item in done]
                first = False


def _finished(waiting: Iterable[_AtWork]) -> Iterator[tuple[list[FileItem], list[ItemResult]]]:
    """Wait for the batches; yield those that did not fail as a whole."""
    for batch, future in waiting:
        if future.exception() is None:
            yield batch, future.result()


def _store(
    artifacts: Artifacts, batch: Sequence[FileItem], caller: Caller, read: Callable[[FileItem, int], None]
) -> list[ItemResult]:
    contents = {
        position: partial(_counted, item, read) if item.size > transfers.LARGE else item.file.open
        for position, item in enumerate(batch)
    }
    return artifacts.store_many([item.args for item in batch], caller=caller, contents=contents)


def _counted(item: FileItem, read: Callable[[FileItem, int], None]) -> BinaryIO:
    return cast("BinaryIO", transfers.Counted(item.file.open(), partial(read, item)))


def print_results(session: Session, results: Sequence[ItemResult]) -> None:
    """Print the outcome of each item."""
    if session.output.as_json:
        session.output.document(results)
    else:
        session.output.print(_table(results))


def report(
    session: Session,
    items: Sequence[FileItem],
    results: Sequence[ItemResult],
    left_out: Sequence[LeftOut],
    began: float,
) -> None:
    """Print the sum, with each item that failed or was left out; every item with -v, or where a few were named."""
    if session.output.as_json:
        session.output.document([*results, *left_out])
        return
    named = len(items) <= FEW and not any(item.file.inside for item in items)
    if named or session.output.verbose:
        session.output.print(_table(results))
    else:
        print_failed(session, results)
    print_left_out(session, left_out)
    if not named:
        more = f"; {len(left_out)} left out" if left_out else ""
        session.output.print(f"{_sum(results, began)}{more}")


def tell_grown(session: Session, items: Sequence[FileItem], results: Sequence[ItemResult]) -> None:
    """Say which files are longer now than what was stored of them: they were appended to while they were read."""
    grown = [
        str(item.file.path)
        for item, result in zip(items, results, strict=True)
        if isinstance(result, StoreResult) and (sourcefiles.looked_at(item.file).size or 0) > result.size
    ]
    if grown:
        session.output.say(
            f"{len(grown)} of {format_count(len(items), 'file')} grew meanwhile, such as {grown[0]}: what they had"
            " when they were opened is stored; the same command makes a version of the whole"
        )


def print_failed(session: Session, results: Sequence[ItemResult]) -> None:
    """Print each item that failed, with why."""
    failed = [result for result in results if isinstance(result, ItemError)]
    if failed:
        session.output.print(_table(failed))


def _table(results: Iterable[ItemResult]) -> Any:  # noqa: ANN401  rich's table
    table = output.table("artifact", "outcome", "size", "copies in", right=["size"], fold=["artifact"])
    for result in results:
        if isinstance(result, ItemError):
            table.add_row(str(result.ref), Text(str(result.error["message"]), style="red"), "", "")
        else:
            table.add_row(str(result.ref), result.outcome, output.size(result.size), output.tiers(result.tiers))
    return table


def print_left_out(session: Session, left_out: Sequence[LeftOut]) -> None:
    """Print each path that is not stored, with why."""
    if not left_out:
        return
    table = output.table("left out", "why", fold=["left out", "why"])
    for each in left_out:
        table.add_row(_BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), each.path), each.reason)
    session.output.print(table)


def _sum(results: Sequence[ItemResult], began: float) -> str:
    outcomes = Counter("failed" if isinstance(r, ItemError) else r.outcome for r in results)
    size = sum(r.size for r in results if isinstance(r, StoreResult))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    spent = output.span(timedelta(seconds=time.monotonic() - began))
    return f"{format_count(len(results), 'file')}: {counts or 'nothing'}; {output.size(size)} in {spent}"
