"""Fixtures for all tests: real services, one of each a session; what a test gets of them is empty and its own."""

import os
import signal
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from support import scale, services

from tierkeeper.catalog import migrate
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.embedded.valkey import Valkey
from tierkeeper.settings.documents import DOCUMENTED
from tierkeeper.settings.settings import Settings, load

ABOUT_TESTS = ("TIERKEEPER_CI", "TIERKEEPER_TEST_")


@pytest.hookimpl(tryfirst=True)  # before hypothesis looks at its option
def pytest_configure(config: pytest.Config) -> None:
    """Take the caller's settings and ignored signals away: tests, and the processes they start, set their own."""
    os.environ["TIERKEEPER_TEST_SEED"] = str(scale.SEED)  # that of every process that runs tests
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(scale.SEED)
    hypothesis.settings.register_profile("untimed", deadline=None)  # how long a machine takes is no property
    hypothesis.settings.load_profile("untimed")
    os.environ.pop("COLUMNS", None)
    # in the background of a shell SIGINT is ignored, under nohup SIGHUP, also by the processes that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for name in list(os.environ):
        if name in DOCUMENTED or (name.startswith("TIERKEEPER_") and not name.startswith(ABOUT_TESTS)):
            del os.environ[name]


def pytest_report_header() -> str:
    """Say how to repeat this run."""
    return scale.described()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with services.embedded_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """An empty database."""
    with services.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def catalog_template(postgres_server: Postgres) -> str:
    """A migrated, empty catalog to copy; copying takes 50 ms, migrating many times that."""
    postgres_server.create_database(services.TEMPLATE)
    migrate.upgrade(postgres_server.url(services.TEMPLATE))
    return services.TEMPLATE


@pytest.fixture
def database_url(postgres_server: Postgres, catalog_template: str) -> Iterator[str]:
    """An empty catalog, migrated."""
    with services.fresh_database(postgres_server, template=catalog_template) as url:
        yield url


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """A Valkey server."""
    with services.embedded_valkey() as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: Valkey) -> str:
    """An empty Valkey."""
    services.empty_valkey(valkey_server)
    return valkey_server.url


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """The S3 server of moto."""
    with services.moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_endpoint(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty S3 server, with credentials for it in the environment."""
    urllib.request.urlopen(  # noqa: S310  our own server
        urllib.request.Request(f"{moto_endpoint}/moto-api/reset", method="POST")  # noqa: S310  as above
    ).close()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return moto_endpoint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where processes run: no ``.env`` and no ``tierkeeper.toml`` of the developer is found from here."""
    place = tmp_path / "run"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def settings_factory(tmp_path: Path, database_url: str, valkey_url: str) -> Callable[..., Settings]:
    """Makes settings with a home, a catalog and a broker of the test's own; overrides are nested as in a file."""

    def make(**overrides: Any) -> Settings:  # noqa: ANN401  what settings take
        own: dict[str, Mapping[str, Any] | Path] = {
            "home": tmp_path / "home",
            "catalog": {"url": database_url},
            "broker": {"url": valkey_url},
            "results": {"url": valkey_url},
        }
        return load(environ={}, **{**own, **overrides})

    return make
