"""The ``Task`` classes: the behaviour that all tasks share, so that each task is one call of the keeper.

A producer gets state ``SUCCESS`` and a small dict whenever the task was *answered*: the result, or
``{"error": code, "message": …, …, "final": false}`` for a typed error (bad arguments too), readable without tierkeeper
installed. No error is a final answer: it changed nothing, so the next message with its key may be carried out, and its
answer replaces the error (``worker.results``).
``FAILURE`` is left for unexpected errors: a defect, a time limit. After a retryable typed error the task is retried a
few times, seconds apart, under the same key; then a verb's message is kept in the catalog and sent again later. A
sweep's message is only a hint, so giving up loses nothing.

A redelivered message may be the one that killed its worker: the attempt is counted, and the count committed, before the
message's arguments are read. After ``engine.attempts`` attempts it is parked (a sweep's is dropped: Beat sends more).
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from kombu.exceptions import KombuError

from tierkeeper import keeper
from tierkeeper.base import callers, log
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import Parked, SweepAtWork
from tierkeeper.base.metrics import DELIVERIES_PARKED, TASK_SECONDS
from tierkeeper.base.quantities import format_count
from tierkeeper.engine.operations.deliveries import Deliveries
from tierkeeper.values.parking import Sent
from tierkeeper.values.plain import plain
from tierkeeper.values.runs import SweepResult
from tierkeeper_client import contract
from tierkeeper_client.contract import Message, SweepArgs
from tierkeeper_client.errors import FINAL_FIELD, InvalidInput, TierkeeperError
from tierkeeper_client.identifiers import MAX_HEADER, check_text
from tierkeeper_client.limits import Bounds

QUICK_TRIES = 5
PAUSES = Backoff(first=1.0, cap=30.0, least=0.5)  # longer delays live in the catalog, never in a message
#: Celery's configuration has the bounds by this name: arguments are judged before anything is opened
LIMITS = "tierkeeper_limits"

_log = log.get(__name__)


def refusal(error: TierkeeperError) -> dict[str, Any]:
    """Return the answer that tells a typed error; it is not final."""
    return {**error.as_dict(), FINAL_FIELD: False}


class KeeperTask(Task[Any, Any]):
    """Validates the arguments, binds the log's context, measures, and turns errors into answers."""

    abstract = True
    typing = False  # the contract's models check, not the signature of `run`
    arguments: ClassVar[type[Message]]
    default_caller: ClassVar[Caller]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as Celery calls it
        """Run the task for one message; the module's docstring says what a producer gets back."""
        started = time.monotonic()
        outcome = "crashed"
        with log.context(task=self.name, task_id=self.request.id, correlation=self.correlation):
            try:
                answer, outcome = self._answer(args, kwargs)
            except (Retry, Reject, Ignore):
                outcome = "again"
                raise
            except Exception as error:
                _log.exception("unexpected error")
                self.failed(error)
                if isinstance(error, MemoryError):  # Celery ends the worker on MemoryError itself
                    raise RuntimeError("the task took more memory than there is") from error  # noqa: TRY004  no type error
                raise
            else:
                return answer
            finally:
                seconds = time.monotonic() - started
                TASK_SECONDS.labels(task=str(self.name), outcome=outcome).observe(seconds)
                _log.info("task " + outcome, seconds=round(seconds, 3))

    @property
    def correlation(self) -> str:
        """The producer's correlation id, else the task's id."""
        return self._header(contract.CORRELATION_HEADER) or str(self.request.id or "")

    @property
    def caller(self) -> Caller:
        """The message's caller, with the task's id as the key, so that a second delivery returns the first result."""
        actor = self._header(contract.ACTOR_HEADER) or self.default_caller.actor
        return Caller(actor, self.correlation, str(self.request.id))

    @property
    def sent(self) -> Sent:
        """The message in the form in which it can be sent again."""
        headers = {contract.CORRELATION_HEADER: self.correlation, contract.ACTOR_HEADER: self.caller.actor}
        if sending := self._header(contract.SENDING_HEADER):
            headers[contract.SENDING_HEADER] = sending
        return Sent(str(self.name), str(self.request.id), self.request.kwargs or {}, headers)

    @property
    def suspicious(self) -> bool:
        """True if the message was delivered before, or kept in the catalog: its attempts are counted."""
        redelivered = (self.request.delivery_info or {}).get("redelivered")
        return bool(redelivered or self._header(contract.AGAIN_HEADER))

    @property
    def limits(self) -> Bounds:
        """The bounds of what the message carries (settings ``limits.*``)."""
        return Bounds(**self.app.conf.get(LIMITS, {}))

    @property
    def deliveries(self) -> Deliveries:
        """The catalog's record of messages that did not succeed at once."""
        return keeper.current().deliveries

    def send_successor(self, kwargs: Mapping[str, Any] | None = None) -> None:
        """Send this task's successor; if the broker does not take it, this message is requeued instead."""
        self.send(contract.TaskName(self.name), kwargs)

    def send(
        self,
        name: contract.TaskName,
        kwargs: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a task with this task's correlation and actor, or with ``headers``.

        Its result is kept only if a ``key`` (the task id) is given.
        """
        if headers is None:
            headers = {contract.CORRELATION_HEADER: self.correlation, contract.ACTOR_HEADER: self.caller.actor}
        options: dict[str, Any] = {"ignore_result": True} if key is None else {"task_id": key}
        try:
            self.app.send_task(name, kwargs=dict(kwargs or {}), headers=dict(headers), **options)
        except (KombuError, OSError) as error:
            _log.warning("the broker did not take the next message", next=str(name), error=str(error))
            self._back(error)

    def give_up(self, reason: str) -> NoReturn:
        """Stop retrying this message, for ``reason``."""
        raise NotImplementedError

    def failed(self, error: Exception) -> None:
        """Handle an unexpected error, before it is raised to Celery; by default nothing more is done."""

    def stumbled(self, error: TierkeeperError) -> None:
        """Retry later (then this does not return) if ``error`` is retryable and tries are left."""
        if error.retryable and self.request.retries < (self.max_retries or 0):
            self._retry(error)

    def _answer(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        try:
            contract.check_key(str(self.request.id or ""))
            for name in (contract.ACTOR_HEADER, contract.CORRELATION_HEADER):
                check_text(self._header(name), field=name, longest=MAX_HEADER)
            self._count()
            if args:
                raise InvalidInput(
                    field="the arguments",
                    value=f"{len(args)} positional",
                    problem="the message has positional arguments",
                    fix="Send keyword arguments only.",
                )
            answer, outcome = plain(self.run(contract.validated(self.arguments, kwargs, within=self.limits))), "done"
        except Parked as error:
            _log.error("parked", message=str(error))
            return refusal(error), "parked"
        except TierkeeperError as error:
            self.stumbled(error)
            tell = _log.info if isinstance(error, SweepAtWork) else _log.warning  # Beat finds one at work all the time
            tell("typed error", error=error.code, message=str(error))
            answer, outcome = refusal(error), "refused"
        self._give_back()
        return answer, outcome

    def _count(self) -> None:
        if not self.suspicious:
            return
        row = self.deliveries.count(self.sent)
        if row.parked_reason is not None:
            raise Parked(task=row.task, key=row.key, reason=row.parked_reason)
        if row.attempts > self.deliveries.limit:
            self.give_up(f"given up after {format_count(self.deliveries.limit, 'attempt')} that ended in silence")

    def _give_back(self) -> None:
        """Take the counted attempt back, because it had an outcome."""
        if self.suspicious:
            with suppress(TierkeeperError):  # an attempt that stays counted expires
                self.deliveries.answered(self.sent)

    def _retry(self, error: TierkeeperError) -> NoReturn:
        pause = PAUSES.seconds(self.request.retries + 1)
        _log.warning("retryable error", error=error.code, message=str(error), again_in=round(pause, 1))
        self._give_back()
        try:
            raise self.retry(exc=error, countdown=pause)
        except Reject as rejected:
            self._back(rejected)

    def _back(self, error: Exception) -> NoReturn:
        """Requeue the message: the broker delivers it again, at the latest after the visibility time-out."""
        self._give_back()
        raise Reject(str(error), requeue=True) from error

    def _header(self, name: str) -> str:
        value = (self.request.headers or {}).get(name)
        if value is None:
            return ""
        sendable = str(value).encode(errors="replace").decode()  # a header never fails the task that carries it
        return sendable.replace("\0", "")[:MAX_HEADER]


class VerbTask(KeeperTask):
    """A command of a producer, which may wait for the result: the result is kept for ``results.expires``."""

    abstract = True
    ignore_result = False
    max_retries = None  # see `stumbled`
    default_caller = callers.PRODUCER

    def give_up(self, reason: str) -> NoReturn:
        """Park the message: the catalog keeps it until an operator decides."""
        self.deliveries.park(self.sent, reason=reason)
        DELIVERIES_PARKED.labels(task=str(self.name)).inc()
        raise Parked(task=self.name, key=self.request.id, reason=reason)

    def failed(self, error: Exception) -> None:
        """Park a message that met a defect, so that it can be sent again after a fix; the task's state is FAILURE."""
        try:
            self.deliveries.park(self.sent, reason=f"{type(error).__name__}: {error}")
            DELIVERIES_PARKED.labels(task=str(self.name)).inc()
        except Exception:  # noqa: BLE001  the defect itself is to be reported to Celery
            _log.exception("the message could not be parked")

    def stumbled(self, error: TierkeeperError) -> None:
        """Retry within seconds, then keep the message in the catalog, or in the broker while the catalog is away."""
        if not error.retryable:
            return
        if self.request.retries < QUICK_TRIES and not self._header(contract.AGAIN_HEADER):
            self._retry(error)
        try:
            self.deliveries.wait(self.sent, reason=str(error))
        except TierkeeperError:
            self._retry(error)
        _log.warning("kept to be sent again", error=error.code, message=str(error))
        raise Ignore(str(error))


class SweepTask(KeeperTask):
    """A step of a sweep: no producer waits for it, its record is the run, and Beat sends the next message anyway."""

    abstract = True
    ignore_result = True
    max_retries = 0
    arguments = SweepArgs
    default_caller = callers.BEAT

    def give_up(self, reason: str) -> NoReturn:
        """Drop the message: the work stays due in the catalog, and Beat sends the next message."""
        _log.error("sweep given up", reason=reason)
        self._give_back()
        raise Ignore(reason)

    def deadline(self) -> float:
        """Return the time (``time.monotonic``) at which this task hands over to its successor."""
        return time.monotonic() + keeper.current().settings.engine.task_seconds

    def begin(self, *, databases_only: bool) -> dict[str, Any]:
        """Begin a run over the artifacts that are due now and send its tasks; if none is due, send nothing, and say so.

        Raises SweepAtWork.
        """
        current = keeper.current()
        run = current.sweeps.rotate(caller=self.caller, databases_only=databases_only)
        if run is None:
            return {"run": None, "reason": "nothing is due"}
        for _ in range(current.settings.engine.parallel):
            self.send(contract.TaskName.CONVERGE_DUE, {"run": str(run)})
        return {"run": run}

    def report(self, result: SweepResult, *, run: UUID | None = None) -> dict[str, Any]:
        """Log the result, unless it is empty, and return it as a dict."""
        done = {"counts": dict(result.counts), "bytes": result.bytes, "errors": result.errors, "more": result.more}
        if result.counts or result.errors:
            _log.info("sweep step done", run=run and str(run), **done)
        return done
