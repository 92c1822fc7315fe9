"""Real services for tests: PostgreSQL and Valkey as the embedded default starts them, and moto's S3 server.

Each runs in a folder of its own and is stopped by its context manager; nothing of it stays.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest
import redis
from moto.server import ThreadedMotoServer
from psycopg import sql

from support.servers import started
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.embedded.valkey import Valkey

# nothing of a test outlives it, so nothing has to survive a crash of the machine
FAST = (("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"))
TEMPLATE = "tierkeeper_template"


def absent(service: str, why: str) -> NoReturn:
    """Skip the test loudly because ``service`` is not to be had; fail it where all must be (TIERKEEPER_CI=1)."""
    if os.environ.get("TIERKEEPER_CI") == "1":
        pytest.fail(f"{service} is missing: {why}")
    pytest.skip(f"{service} is missing: {why}")


def real_s3_access() -> tuple[str, str, str]:
    """Return endpoint, access key and secret key of the real S3 server; skip the test loudly where none runs."""
    try:
        endpoint, access_key, secret_key = (
            os.environ[f"TIERKEEPER_TEST_S3_{name}"] for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
        )
    except KeyError as error:
        absent("the real S3 server", f"{error.args[0]} is not set; `make test-s3` starts one")
    return endpoint, access_key, secret_key


def real_s3() -> str:
    """Return the options of a tier's URL that lead to the real S3 server; as :func:`real_s3_access`."""
    endpoint, access_key, secret_key = real_s3_access()
    return f"endpoint={endpoint}&access_key={access_key}&secret_key={secret_key}"


@contextmanager
def short_folder() -> Iterator[Path]:
    """A private folder whose path is short enough for sockets (pytest's own are not)."""
    folder = Path(tempfile.mkdtemp(prefix="tk-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def embedded_postgres(*, port: int | None = None) -> Iterator[Postgres]:
    """A PostgreSQL server with an empty database; ``port``: over TCP on 127.0.0.1 too."""
    with (
        short_folder() as folder,
        started(Postgres(folder / "data", folder, folder / "log", port=port, options=FAST)) as server,
    ):
        yield server


@contextmanager
def fresh_database(server: Postgres, *, template: str | None = None) -> Iterator[str]:
    """The URL of a database of its own, a copy of ``template`` if given, dropped afterwards with its connections."""
    name = f"test_{uuid4().hex}"
    server.create_database(name, template=template)
    try:
        yield server.url(name)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def execute(url: str, statements: str) -> None:
    """Run SQL in a database, whatever its walls say: triggers are off."""
    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statements)


@contextmanager
def embedded_valkey() -> Iterator[Valkey]:
    """A Valkey server with nothing in it."""
    with (
        short_folder() as folder,
        started(Valkey(folder / "data", folder / "valkey.sock", folder / "log")) as server,
    ):
        yield server


def empty_valkey(server: Valkey) -> None:
    """Take everything out of ``server``."""
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()


@contextmanager
def moto_server() -> Iterator[str]:
    """The endpoint of an S3 server that is honest about logic, not about locks, signatures or checksums."""
    with started(ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)) as server:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
