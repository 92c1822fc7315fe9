"""The connection to the catalog: a pool made after fork, short transactions, retries of deadlocks and lost replies."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa

from tierkeeper.base import clock, log
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogEncoding, CatalogUnavailable
from tierkeeper.catalog import outcomes
from tierkeeper.catalog.driver_errors import first_line, is_stale_plan, translated
from tierkeeper.catalog.json_values import read_json
from tierkeeper.catalog.outcomes import OpenTransaction, TransactionStatus
from tierkeeper.catalog.statements import PLANNED_ANEW
from tierkeeper.connections import MARGIN, PatientConnection, PlannedCursor, parameters
from tierkeeper.settings.groups import CatalogSettings

T = TypeVar("T")
P = ParamSpec("P")

_log = log.get(__name__)
#: deadlock_detected and serialization_failure: the transaction is simply run again (R14); unique_violation: another
#: transaction was faster with the same key, which the next run finds; idle_in_transaction_session_timeout: this
#: process was stopped for a while, and the server ended its transaction
_RETRIED_STATES = frozenset({"40P01", "40001", "23505", "25P03"})
_TRIES = 5
_ASKING_SECONDS = 10.0  # for the outcome of a COMMIT, while that is in progress or the server is away
#: a deadlock's other party needs a moment; a lost server a little more
PAUSES: Final = Backoff(first=0.1, cap=0.8, least=0.5)
#: raised as they are: of the pool, and by the driver itself during a COPY, whose source cannot be read again
_OTHERS = sa.exc.TimeoutError, psycopg.Error
UTC: Final = {"timezone": "UTC"}
#: a plan that is made, and kept, while a table is empty or was never analysed finds each row by its index too
#: (before PostgreSQL 18 a scan that is disabled has a cost at which the server would compile each statement)
BY_INDEX: Final = {"enable_seqscan": "off", "jit": "off"}
HOURS = 6 * 3600.0  # see `take_time`


class Database:
    """Short transactions on the catalog.

    Every unit passed to :meth:`run` may be run again, after a deadlock or when the connection is lost. Where the reply
    to COMMIT is lost, PostgreSQL is asked for the outcome, and a unit that was committed is not run again. Where the
    answer cannot be believed (:mod:`tierkeeper.catalog.outcomes`) it is: a unit whose effect must never happen twice
    begins by reading what an earlier run of itself may have committed (its token, its row in ``commands``).
    """

    def __init__(self, settings: CatalogSettings) -> None:
        if settings.url is None:
            raise CatalogUnavailable(reason="no URL is set (TIERKEEPER_CATALOG__URL)")
        limits = {
            "statement_timeout": settings.statement_timeout,
            "lock_timeout": settings.lock_timeout,
            "idle_in_transaction_session_timeout": settings.idle_timeout,
        }
        session = {name: str(value // timedelta(milliseconds=1)) for name, value in limits.items()} | UTC | BY_INDEX
        patience = settings.statement_timeout.total_seconds() + MARGIN
        self.engine = make_engine(
            settings.url,
            timeout=settings.timeout,
            session=session,
            patience=patience,
            isolation_level=outcomes.ISOLATION,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=settings.timeout.total_seconds(),
            pool_pre_ping=True,
            pool_use_lifo=True,  # the one that was used last has the most prepared
            json_deserializer=read_json,
        )

        def given_back(connection: PatientConnection | None, _record: object) -> None:
            if connection is not None:
                connection.patience = patience  # see `take_time`
                connection.prepares(True)

        sa.event.listen(self.engine, "checkin", given_back)

    def run(
        self, caller: Caller, unit: Callable[Concatenate[sa.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``unit(connection, *args, **kwargs)`` in one transaction of ``caller`` and return its result.

        Raises CatalogUnavailable where the server is away or refuses, and what the unit raises.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return self._run_once(unit, *args, **kwargs)
            except sa.exc.DBAPIError as error:
                if attempt == _TRIES or not _worth_again(error):
                    raise translated(error) from error
                _log.info(
                    "transaction runs again",
                    unit=_name(unit),
                    actor=caller.actor,
                    correlation=caller.correlation or None,
                    attempt=attempt,
                    reason=first_line(error.orig or error),
                )
                time.sleep(PAUSES.seconds(attempt))
            except _OTHERS as error:
                raise translated(error) from error
        raise AssertionError  # the loop returns or raises

    def _run_once(self, unit: Callable[Concatenate[sa.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.engine.connect() as connection:
            transaction = connection.begin()
            begun = outcomes.begin(connection)
            set_each_time(connection)
            result = unit(connection, *args, **kwargs)
            try:
                transaction.commit()
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                lost = error
            else:
                return result
        outcome = self._outcome(begun)
        _log.info("the reply to COMMIT was lost", unit=_name(unit), outcome=outcome.value)
        if outcome is TransactionStatus.COMMITTED:
            return result
        raise lost

    def _outcome(self, begun: OpenTransaction | None) -> TransactionStatus:
        """Return the outcome of a transaction whose COMMIT was not answered: COMMITTED, ABORTED or UNKNOWN.

        Raises CatalogUnavailable where it stays in progress, or the server away: a unit that ran again beside its own
        open transaction would not see what that one commits.
        """
        if begun is None:
            return TransactionStatus.UNKNOWN
        until = time.monotonic() + _ASKING_SECONDS
        for question in itertools.count(1):
            try:
                with self.reading() as connection:
                    found = outcomes.status(connection, begun)
            except CatalogUnavailable as error:
                reason = str(error.data["reason"])
            else:
                if found is not TransactionStatus.IN_PROGRESS:
                    return found
                reason = "a COMMIT that was not answered is still in progress"
            if time.monotonic() > until:
                raise CatalogUnavailable(reason=reason)
            time.sleep(PAUSES.seconds(question))
        raise AssertionError  # the loop returns or raises

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[sa.Connection]:
        """A transaction for queries, in which PostgreSQL refuses to write; ``snapshot``: all of them see one moment.

        It has begun, behind a pooler as without one: whoever gets the connection begins none. It ends by COMMIT: behind
        a ROLLBACK psycopg drops what is prepared on the connection, and PostgreSQL would plan each statement anew.
        """
        options: dict[str, Any] = {"postgresql_readonly": True}
        if snapshot:
            options["isolation_level"] = "REPEATABLE READ"
        with self._transaction(**options) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def rehearsing(self) -> Iterator[sa.Connection]:
        """A transaction that may write, and leaves nothing: it is rolled back."""
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self, **options: Any) -> Iterator[sa.Connection]:  # noqa: ANN401  SQLAlchemy's
        """A transaction that has begun, and is rolled back at the end; errors are translated."""
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**options)
                connection.begin()
                set_each_time(connection)
                yield connection
        except (sa.exc.DBAPIError, *_OTHERS) as error:
            raise translated(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def make_engine(
    url: str,
    *,
    timeout: timedelta,
    session: Mapping[str, str],
    patience: float | None,
    **options: Any,  # noqa: ANN401  SQLAlchemy's
) -> sa.Engine:
    """Return an engine whose connections have the parameters ``session``, and wait ``patience`` seconds at most.

    ``timeout``: to connect. Behind a pooler the parameters are not set before :func:`set_each_time`.
    """
    engine = sa.create_engine(
        "postgresql+psycopg://",
        connect_args=parameters(url, connect_timeout=max(1, int(timeout.total_seconds()))),
        **options,
    )

    def connect(_dialect: object, _record: object, args: Any, given: Any) -> PatientConnection:  # noqa: ANN401  SQLAlchemy's
        opened = PatientConnection.connect(*args, **given)
        check_encoding(opened)
        opened.patience = patience
        opened.set_up(session)
        return opened

    def plan(_: object, cursor: Any, *more: Any) -> None:  # noqa: ANN401  SQLAlchemy's
        if isinstance(cursor, PlannedCursor):  # no cursor of the server's, which is never prepared
            *_statement, context, _many = more
            cursor.planned_anew = bool(context and context.execution_options.get(PLANNED_ANEW))

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "before_cursor_execute", plan)
    return engine


def set_each_time(connection: sa.Connection) -> None:
    """Set the parameters of a session that is lent out by the transaction."""
    driver = connection.connection.driver_connection
    if isinstance(driver, PatientConnection) and driver.each_time is not None:
        connection.exec_driver_sql(driver.each_time.as_string(driver))


def check_encoding(opened: psycopg.Connection[Any]) -> None:
    """Raise CatalogEncoding, closing the connection, for a database that is not in UTF8."""
    encoding = opened.info.parameter_status("server_encoding")
    if encoding not in {None, "UTF8"}:  # a pooler may not tell
        opened.close()
        raise CatalogEncoding(encoding=encoding)


def catalog_now(connection: sa.Connection) -> datetime:
    """PostgreSQL's time at this moment, the one clock of all decisions."""
    moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return moment


@dataclass(frozen=True, slots=True)
class Clocks:
    """PostgreSQL's time and this machine's, read together; on one host they are one clock.

    A protected period begins at the ``later`` and is over once the ``earlier`` is past its end: one clock that is wrong
    for a while, or is corrected, ends no period early. A moment after both was noted by a clock that was ahead.
    """

    catalog: datetime
    machine: datetime

    @property
    def earlier(self) -> datetime:
        """The time by the clock that is behind."""
        return min(self.catalog, self.machine)

    @property
    def later(self) -> datetime:
        """The time by the clock that is ahead."""
        return max(self.catalog, self.machine)


def clocks(connection: sa.Connection) -> Clocks:
    """Return the time by both clocks at this moment."""
    return Clocks(catalog_now(connection), clock.now())


def take_time(connection: sa.Connection) -> None:
    """Let this transaction take hours, and scan: for jobs that read or write whole tables while no user waits.

    No limit is on the transaction as a whole (:mod:`tierkeeper.connections`).
    """
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(sa.text(f"SET LOCAL {limit} = {int(HOURS * 1000)}"))
    connection.execute(sa.text("SET LOCAL enable_seqscan = on"))
    driver = connection.connection.driver_connection
    if isinstance(driver, PatientConnection):
        driver.patience = HOURS + MARGIN
        driver.prepares(False)  # a plan that scans would be kept


def _worth_again(error: sa.exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    return state in _RETRIED_STATES or is_stale_plan(error.orig)


def _name(unit: Callable[..., object]) -> str:
    return getattr(unit, "__qualname__", repr(unit))
