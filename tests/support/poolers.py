"""A real PgBouncer in front of a PostgreSQL server, as Debian ships it."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import psycopg

from support import services
from support.ports import free_ports
from support.processes import LocalProcess
from tierkeeper.embedded.postgres import Postgres

_START: Final = 10.0  # seconds
#: sessions on the server: few for all clients, or one for each connection that is open
SESSIONS: Final = {"transaction": 2, "session": 20}

PoolMode = Literal["session", "transaction"]


@contextmanager
def pgbouncer(server: Postgres, *, mode: PoolMode, more: str = "") -> Iterator[str]:
    """The host and port at which a PgBouncer lends out sessions of ``server``, which listens on a port.

    Skips the test loudly where there is none. ``more``: lines of its configuration.
    """
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if binary is None:
        services.absent("PgBouncer", "apt-get install pgbouncer")
    [port] = free_ports(1)
    with services.short_folder() as folder:
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = {SESSIONS[mode]}\nmax_client_conn = 50\n{more}\n"
        )
        command = [binary, str(configuration)]
        if os.geteuid() == 0:  # it refuses to run as root, and root's folders are closed
            shutil.chown(folder, "nobody")
            command += ["-u", "nobody"]
        process = LocalProcess("pgbouncer", command, folder=folder, env={})
        try:
            _wait(f"postgresql://postgres@127.0.0.1:{port}/postgres", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _wait(url: str, process: LocalProcess) -> None:
    until = time.monotonic() + _START
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise AssertionError(process.logs().decode()) from error
            time.sleep(0.05)
        else:
            return
