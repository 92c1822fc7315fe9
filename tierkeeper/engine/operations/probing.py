"""Questions to servers at the same time, none of which is waited for beyond a limit."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from tierkeeper.base.quantities import format_duration


def ask_all(questions: Mapping[str, Callable[[], None]], *, within: timedelta) -> dict[str, Exception]:
    """Call all of ``questions`` in parallel; return by name the errors of those that failed.

    A call that is still open at the limit has TimeoutError.
    """
    # daemon threads, which are never joined: one that hangs delays neither the caller nor the end of the process
    answers: dict[str, queue.Queue[Exception | None]] = {name: queue.Queue() for name in questions}
    for name, answer in answers.items():
        threading.Thread(target=_ask, args=(questions[name], answer), daemon=True).start()
    until = time.monotonic() + within.total_seconds()
    failed: dict[str, Exception] = {}
    for name, answer in answers.items():
        try:
            error = answer.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            error = TimeoutError(f"it has not answered within {format_duration(within)}")
        if error is not None:
            failed[name] = error
    return failed


def _ask(question: Callable[[], None], answer: "queue.Queue[Exception | None]") -> None:
    try:
        question()
    except Exception as error:  # noqa: BLE001  a defect of an adapter is reported, not lost with its thread
        answer.put(error)
    else:
        answer.put(None)
