"""Sends messages to the workers and waits for their answers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import click

from tierkeeper.base.states import Outcome
from tierkeeper.cli.support import output
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import Ref, VerbResult
from tierkeeper.values.plain import plain
from tierkeeper_client.client import Handle
from tierkeeper_client.contract import TaskName
from tierkeeper_client.errors import BrokerUnavailable, ResultPending, ResultUnavailable, TierkeeperError

SOME_FAILED: Final = 7
STILL_DONE: Final = "it ended before all had answered; the workers do what was sent all the same"
POLL: Final = 0.1  # seconds between two polls for missing results


@dataclass(frozen=True, slots=True)
class Post:
    """One message: ``send`` sends it, ``write`` writes the verb into the catalog while the broker is away."""

    ref: Ref
    send: Callable[[], Handle]
    write: Callable[[], list[VerbResult]] | None = None


SendResult = Handle | dict[str, Any] | TierkeeperError  # a dict: the results of writing to the catalog instead


def send(session: Session, posts: Sequence[Post], *, wait: timedelta | None) -> None:
    """Send each message and print its task, or with ``wait`` its result; the exit code is 7 if some failed.

    While the broker is away, a verb is written into the catalog for the next sweep. What ends it early comes after what
    was sent.
    """
    sent = _send_all(session, posts)
    if wait is None:
        _print_sent(session, sent)
    else:
        try:
            answers = results(session, sent, wait=wait)
        except BaseException:
            _print_sent(session, sent)
            session.output.warn(STILL_DONE)
            raise
        if len(answers) == 1 and isinstance(answers[0][1], TierkeeperError):
            raise answers[0][1]
        _print_answers(session, answers)
        sent = [(ref, answer) for ref, answer in answers if isinstance(answer, TierkeeperError)]
    if any(isinstance(result, TierkeeperError) for _ref, result in sent):
        click.get_current_context().exit(SOME_FAILED)


def _send_all(session: Session, posts: Sequence[Post]) -> list[tuple[Ref, SendResult]]:
    sent: list[tuple[Ref, SendResult]] = []
    away: BrokerUnavailable | None = None
    try:
        with session.output.progress("sending", total=len(posts)) as advance:
            for post in posts:
                try:
                    result, away = _send(post, away)
                except TierkeeperError as error:
                    if len(posts) == 1 or error.of_all:
                        raise
                    result = error
                sent.append((post.ref, result))
                advance(1)
    except BaseException:
        if sent:
            _print_sent(session, sent)
            session.output.warn("it ended before the others were sent; the same command sends them")
        raise
    finally:
        if away is not None:
            session.output.warn(
                f"The broker is away ({away.data['reason']}). Written to the catalog: the next sweep does it."
            )
    return sent


def _send(post: Post, away: BrokerUnavailable | None) -> tuple[SendResult, BrokerUnavailable | None]:
    """Send or write one message; after the broker failed once, the other verbs are written without trying it again."""
    if away is None or post.write is None:
        try:
            return post.send(), away
        except BrokerUnavailable as error:
            if post.write is None:
                raise
            away = error
    return {"results": plain(post.write())}, away


def send_sweeps(session: Session, tasks: Sequence[TaskName]) -> None:
    """Send sweeps without waiting for results: the record of a sweep is its run."""
    for task in tasks:
        session.client.send(task, correlation=session.caller.correlation)
    if session.output.as_json:
        session.output.document({"sent": [task.value for task in tasks]})
    else:
        session.output.print(f"sent {', '.join(tasks)}; `tierkeeper runs list` shows what they do")


def results(
    session: Session,
    sent: Sequence[tuple[Ref, SendResult]],
    *,
    wait: timedelta,
    label: str = "waiting for the workers",
) -> list[tuple[Ref, dict[str, Any] | TierkeeperError]]:
    """Return each message's answer or error, in order; ResultPending for those without one after ``wait``.

    Raises ResultUnavailable.
    """
    answers: dict[int, dict[str, Any] | TierkeeperError] = {
        at: result for at, (_ref, result) in enumerate(sent) if not isinstance(result, Handle)
    }
    pending = {at: result for at, (_ref, result) in enumerate(sent) if isinstance(result, Handle)}
    deadline = time.monotonic() + wait.total_seconds()
    with session.output.progress(label, total=len(sent)) as advance:
        advance(len(answers))
        while pending:
            for at, handle in list(pending.items()):
                try:
                    answers[at] = handle.get(timeout=0)
                except ResultPending as error:
                    if time.monotonic() < deadline:
                        break  # results arrive roughly in order: poll again later
                    answers[at] = error
                except ResultUnavailable:  # so are the other results
                    raise
                except TierkeeperError as error:
                    answers[at] = error
                del pending[at]
                advance(1)
            if pending:
                time.sleep(POLL)
    return [(ref, answers[at]) for at, (ref, _one) in enumerate(sent)]


def _print_sent(session: Session, sent: Sequence[tuple[Ref, SendResult]]) -> None:
    if session.output.as_json:
        session.output.document([{"ref": ref, **_as_json(result)} for ref, result in sent])
        return
    table = output.table("artifact", "task", fold=["artifact", "task"])
    for ref, result in sent:
        table.add_row(str(ref), _in_words(result))
    session.output.print(table)


def _as_json(result: SendResult) -> dict[str, Any]:
    if isinstance(result, Handle):
        return {"task": result.id}
    return result.as_dict() if isinstance(result, TierkeeperError) else {"task": None, **result}


def _in_words(result: SendResult) -> str:
    if isinstance(result, Handle):
        return result.id
    return f"error: {result}" if isinstance(result, TierkeeperError) else "written to the catalog"


def _print_answers(session: Session, answers: Sequence[tuple[Ref, dict[str, Any] | TierkeeperError]]) -> None:
    if session.output.as_json:
        session.output.document(
            [{"ref": ref, **(answer if isinstance(answer, dict) else answer.as_dict())} for ref, answer in answers]
        )
        return
    table = output.table("artifact", "outcome", "copies in", "why", fold=["artifact", "why"])
    for ref, answer in answers:
        if isinstance(answer, TierkeeperError):
            table.add_row(str(ref), output.word("error"), "", str(answer))
            continue
        for item in answer.get("results", [answer]):
            table.add_row(
                str(_answered(ref, item)),
                output.word(str(item.get("outcome", Outcome.DONE))),
                output.tiers(item.get("present", item.get("tiers", ()))),
                str(item.get("detail", "")),
            )
    session.output.print(table)


def _answered(ref: Ref, item: Mapping[str, Any]) -> Ref:
    """Return the reference of an answer's artifact, with its version."""
    return replace(ref, version=item.get("ref", {}).get("version", ref.version))
