"""Sending work to the workers, and waiting for what they answer."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import click

from tierkeeper.base.states import Outcome
from tierkeeper.base.values import Ref
from tierkeeper.cli import output
from tierkeeper.cli.session import Session
from tierkeeper_client.client import Handle
from tierkeeper_client.contract import TaskName
from tierkeeper_client.errors import BrokerUnavailable, ResultPending, TierkeeperError

SOME_FAILED: Final = 7
POLL: Final = 0.1  # seconds between two looks at results that are not there yet


def send(session: Session, calls: Sequence[tuple[Ref, Callable[[], Handle]]], *, wait: timedelta | None) -> None:
    """Send each message and print its task, or with ``wait`` its result; the exit code is 7 if some failed."""
    sent: list[tuple[Ref, Handle | TierkeeperError]] = []
    with session.output.progress("sending", total=len(calls)) as advance:
        for ref, call in calls:
            try:
                sent.append((ref, call()))
            except TierkeeperError as error:
                if len(calls) == 1 or (isinstance(error, BrokerUnavailable) and not sent):
                    raise
                sent.append((ref, error))
            advance(1)
    if wait is None:
        _print_sent(session, sent)
    else:
        answers = results(session, sent, wait=wait)
        if len(answers) == 1 and isinstance(answers[0][1], TierkeeperError):
            raise answers[0][1]
        _print_answers(session, answers)
        sent = [(ref, answer) for ref, answer in answers if isinstance(answer, TierkeeperError)]
    if any(isinstance(one, TierkeeperError) for _ref, one in sent):
        click.get_current_context().exit(SOME_FAILED)


def send_sweeps(session: Session, tasks: Sequence[TaskName]) -> None:
    """Send sweeps, whose record is their run; nobody waits for their result."""
    for task in tasks:
        session.client.send(task, correlation=session.correlation)
    if session.output.as_json:
        session.output.document({"sent": [task.value for task in tasks]})
    else:
        session.output.print(f"sent {', '.join(tasks)}; `tierkeeper runs list` shows what they do")


def results(
    session: Session,
    sent: Sequence[tuple[Ref, Handle | TierkeeperError]],
    *,
    wait: timedelta,
    label: str = "waiting for the workers",
) -> list[tuple[Ref, dict[str, Any] | TierkeeperError]]:
    """Return each message's answer or error, in order; ResultPending for those without one after ``wait``."""
    answers: dict[int, dict[str, Any] | TierkeeperError] = {
        at: one for at, (_ref, one) in enumerate(sent) if isinstance(one, TierkeeperError)
    }
    pending = {at: one for at, (_ref, one) in enumerate(sent) if isinstance(one, Handle)}
    deadline = time.monotonic() + wait.total_seconds()
    with session.output.progress(label, total=len(sent)) as advance:
        advance(len(answers))
        while pending:
            for at, handle in list(pending.items()):
                try:
                    answers[at] = handle.get(timeout=0)
                except ResultPending as error:
                    if time.monotonic() < deadline:
                        break  # they finish about in order: look again a little later
                    answers[at] = error
                except TierkeeperError as error:
                    answers[at] = error
                del pending[at]
                advance(1)
            if pending:
                time.sleep(POLL)
    return [(ref, answers[at]) for at, (ref, _one) in enumerate(sent)]


def _print_sent(session: Session, sent: Sequence[tuple[Ref, Handle | TierkeeperError]]) -> None:
    if session.output.as_json:
        session.output.document(
            [{"ref": ref, **({"task": one.id} if isinstance(one, Handle) else one.as_dict())} for ref, one in sent]
        )
        return
    made = output.table("artifact", "task", fold=["artifact", "task"])
    for ref, one in sent:
        made.add_row(str(ref), one.id if isinstance(one, Handle) else f"error: {one}")
    session.output.print(made)


def _print_answers(session: Session, answers: Sequence[tuple[Ref, dict[str, Any] | TierkeeperError]]) -> None:
    if session.output.as_json:
        session.output.document(
            [{"ref": ref, **(one if isinstance(one, dict) else one.as_dict())} for ref, one in answers]
        )
        return
    made = output.table("artifact", "outcome", "copies in", "why", fold=["artifact", "why"])
    for ref, one in answers:
        if isinstance(one, TierkeeperError):
            made.add_row(str(ref), output.word("error"), "", str(one))
            continue
        for item in one.get("results", [one]):
            made.add_row(
                str(_answered(ref, item)),
                output.word(str(item.get("outcome", Outcome.DONE))),
                output.tiers(item.get("present", item.get("tiers", ()))),
                str(item.get("detail", "")),
            )
    session.output.print(made)


def _answered(ref: Ref, item: Mapping[str, Any]) -> Ref:
    """Return the artifact that an answer is about, with its version."""
    return replace(ref, version=item.get("ref", {}).get("version", ref.version))
