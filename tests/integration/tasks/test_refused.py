"""What becomes of a refused message while the catalog is away, and how an operator sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import sqlalchemy as sa
from click.testing import CliRunner
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from tierkeeper.cli.main import cli
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.values.parking import StuckFilter, StuckKind

MALFORMED = StuckFilter(kind=StuckKind.MALFORMED)


@contextmanager
def away(server: Postgres, installation: Installation) -> Iterator[None]:
    """The catalog's server lets nobody in, and those that were in are out."""
    name = sa.make_url(str(installation.settings.catalog.url)).database
    url = sa.make_url(server.url("postgres")).set(drivername="postgresql+psycopg")
    outside = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name}
        )
        yield
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    outside.dispose()


@pytest.mark.row("F13", "dead letters")
def test_a_refused_message_outlives_an_absent_catalog(
    worker: LocalProcess, installation: Installation, postgres_server: Postgres, tmp_path: Path
) -> None:
    """It goes round in the broker until the catalog is back, and is kept then, once; `parked show --raw` has it."""
    with redis.Redis(unix_socket_path=urlsplit(str(installation.settings.broker.url)).path) as broker:
        with away(postgres_server, installation):
            broker.lpush("verbs", b"no message at all")
            wait_until(lambda: b"retryable error" in worker.logs())
        wait_until(lambda: bool(list(installation.keeper.parked.select(MALFORMED))))
        wait_until(lambda: not broker.exists("verbs", "maintenance", "unacked"))
    [item] = installation.keeper.parked.select(MALFORMED)
    assert (item.attempts, item.queue, item.broker) == (1, "verbs", "redis")
    assert installation.keeper.parked.raw(item.id) == b"no message at all"
    assert worker.status == "running"

    shown = CliRunner().invoke(cli, ["parked", "show", str(item.id)], env=dict(installation.env))
    assert "redis" in shown.output
    assert "no message at all" not in shown.output
    raw = CliRunner().invoke(cli, ["parked", "show", str(item.id), "--raw"], env=dict(installation.env))
    assert raw.stdout == "bm8gbWVzc2FnZSBhdCBhbGw=\n"
