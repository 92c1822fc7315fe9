"""Sends many files to the workers: small ones together in messages of many, larger ones in a message each."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import click

from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import messages, output, storing, transfers
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.sourcefiles import LeftOut, opened
from tierkeeper.cli.support.storing import FileItem
from tierkeeper.values.artifacts import ItemError, ItemResult, Ref, StoreResult
from tierkeeper_client.client import Handle
from tierkeeper_client.contract import InlineContent, StoreArgs
from tierkeeper_client.errors import TierkeeperError

_OVERHEAD: Final = 1024  # bytes of an item in a message besides its arguments and its content


@dataclass(slots=True)
class _Sent:
    """The messages that were sent, each with its items, and the items that were not."""

    messages: list[tuple[list[FileItem], Handle]] = field(default_factory=list)
    errors: list[ItemError] = field(default_factory=list)

    def refuse(self, items: Sequence[FileItem], error: TierkeeperError) -> None:
        """Note that items were not sent; raise what the next ones would meet too: a broker or staging that is away."""
        if error.of_all:
            raise error
        self.errors.extend(ItemError(ref=item.ref, error=error.as_dict()) for item in items)


def enqueue(
    session: Session,
    items: Sequence[FileItem],
    left_out: Sequence[LeftOut],
    *,
    wait: timedelta | None,
    send: Callable[[FileItem], Handle],
) -> None:
    """Send the files and print what was sent, or with ``wait`` the outcomes; ``send`` sends a larger one alone.

    The exit code is 7 if some failed or were left out. What ends it early comes after what was sent, with its tasks.
    """
    sent, began = _Sent(), time.monotonic()
    inline = session.settings.engine.inline_limit
    small = [item for item in items if item.file.size is not None and item.size <= inline]
    large = [item for item in items if item.file.size is None or item.size > inline]
    size = sum(item.size for item in items)
    try:
        with transfers.progress(session.output, "sending", items=len(items), size=size) as advance:
            for batch in storing.batches(small, most=_most(session), size=_room(session, small), weight=_weight):
                _send_many(session, batch, sent)
                advance(len(batch), sum(item.size for item in batch))
            for item in large:
                try:
                    sent.messages.append(([item], send(item)))
                except TierkeeperError as error:
                    sent.refuse([item], error)
                advance(1, item.size)
    except BaseException:
        if sent.messages:
            _print_sent(session, sent, left_out, tasks=True)
            session.output.warn("it ended before all were sent; the same command sends the rest")
        raise
    if wait is None:
        _print_sent(session, sent, left_out)
        failed = bool(sent.errors)
    else:
        try:
            results = _answers(session, sent, wait)
        except BaseException:
            _print_sent(session, sent, left_out, tasks=True)
            session.output.warn(messages.STILL_DONE)
            raise
        storing.report(session, items, results, left_out, began)
        failed = any(isinstance(result, ItemError) for result in results)
    if failed or left_out:
        click.get_current_context().exit(messages.SOME_FAILED)


def _most(session: Session) -> int:
    return min(storing.ITEMS, session.settings.limits.bounds.items)


def _room(session: Session, items: Sequence[FileItem]) -> int:
    """Return the bytes of items that one message has room for; all have the same metadata and tags."""
    arguments = len(items[0].args.model_dump_json()) if items else 0
    fixed = _most(session) * (arguments + _OVERHEAD)
    return max(session.settings.messages.max_bytes // 2 - fixed, 1)


def _weight(item: FileItem) -> int:
    return item.size * 4 // 3  # as base64


def _send_many(session: Session, batch: Sequence[FileItem], sent: _Sent) -> None:
    readable: list[FileItem] = []
    arguments: list[StoreArgs] = []
    for item in batch:
        try:
            arguments.append(_with_content(session, item))
        except TierkeeperError as error:
            sent.refuse([item], error)
        else:
            readable.append(item)
    if not readable:
        return
    try:
        handle = session.client.store_many(arguments, correlation=session.caller.correlation)
    except TierkeeperError as error:
        sent.refuse(readable, error)
    else:
        sent.messages.append((readable, handle))


def _with_content(session: Session, item: FileItem) -> StoreArgs:
    with opened(item.file) as file:
        content = session.client.content(file)
    sha256 = hashlib.sha256(content.content()).hexdigest() if isinstance(content, InlineContent) else None
    return item.args.model_copy(update={"content": content, "sha256": sha256})


def _print_sent(session: Session, sent: _Sent, left_out: Sequence[LeftOut], *, tasks: bool = False) -> None:
    """Print the sum, with each file's task with -v, or each task with ``tasks``, and what was not sent."""
    rows = [(item.ref, handle.id) for items, handle in sent.messages for item in items]
    if session.output.as_json:
        session.output.document([*({"ref": ref, "task": task} for ref, task in rows), *sent.errors, *left_out])
        return
    if session.output.verbose:
        table = output.table("artifact", "task", fold=["artifact", "task"])
        for ref, task in rows:
            table.add_row(str(ref), task)
        session.output.print(table)
    elif tasks:
        table = output.table("task", "files", "the first", right=["files"], fold=["task", "the first"])
        for items, handle in sent.messages:
            table.add_row(handle.id, str(len(items)), str(items[0].ref))
        session.output.print(table)
    storing.print_failed(session, sent.errors)
    storing.print_left_out(session, left_out)
    more = f"; {len(sent.errors)} failed" if sent.errors else ""
    more += f"; {len(left_out)} left out" if left_out else ""
    session.output.print(
        f"{format_count(len(rows), 'file')} sent in {format_count(len(sent.messages), 'message')}{more}"
    )


def _answers(session: Session, sent: _Sent, wait: timedelta) -> list[ItemResult]:
    """Return the outcome of each item; the error of a message is that of all of its items."""
    asked = [(items[0].ref, handle) for items, handle in sent.messages]
    results: list[ItemResult] = list(sent.errors)
    answers = messages.results(session, asked, wait=wait)
    for (items, _handle), (_ref, answer) in zip(sent.messages, answers, strict=True):
        if isinstance(answer, TierkeeperError):
            results.extend(ItemError(ref=item.ref, error=answer.as_dict()) for item in items)
        else:
            results.extend(map(result_of, answer.get("results", [answer])))
    return results


def result_of(answer: dict[str, Any]) -> ItemResult:
    """Return the outcome of one item as a worker wrote it into its answer."""
    ref = Ref(**answer["ref"])
    if "error" in answer:
        return ItemError(ref=ref, error=answer["error"])
    return StoreResult(
        ref=ref,
        artifact=UUID(answer["artifact"]),
        sha256=answer["sha256"],
        size=answer["size"],
        tiers=tuple(answer["tiers"]),
        outcome=answer["outcome"],
    )
