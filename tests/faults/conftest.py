"""Fixtures of the fault tests: how large a run is, where its chance comes from, and keepers and services to hurt."""

import random
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from faults import life
from faults.crew import Crew, OpenCrew, crews
from faults.ward import OpenWard, Ward, wards
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from support import scale as scales
from support.house import House, houses
from support.nodes import Valkey
from support.scale import Scale

from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.settings import Settings


@pytest.fixture
def scale() -> Scale:
    """How many of something: ``scale(short=3, long=40)``; see ``support.scale``."""
    return scales.scaled


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The test's own source of chance: the same for the same seed, whatever other tests run."""
    return scales.chance(request.node.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, so that `-m` can choose it."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("faults")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with every failure how to repeat it."""
    report = yield
    if report.failed:
        report.sections.append(("Repeat with", scales.described()))
    return report


@pytest.fixture
def house(settings_factory: Callable[..., Settings]) -> Iterator[House]:
    """Folders without fsync: a crash of the process is what is tried, not one of the machine."""
    quick = {"options": {"fsync": "no"}}
    cas = {"options": {"fsync": "no", "layout": "cas"}}
    with houses(settings_factory) as opener:
        yield opener(tiers={"hot": quick, "warm": cas, "cold": cas}, reconcile={"quarantine": "0s"})


@pytest.fixture(scope="module")
def open_ward(
    postgres_server: Postgres, catalog_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenWard]:
    """Opens wards with a worker for the tests of a file; a file that has such tests opens one as ``shared``."""
    with ExitStack() as stack:

        def opened(
            *, policy: str = life.POLICY, concurrency: int = 1, settings: Mapping[str, str] | None = None
        ) -> Ward:
            place = tmp_path_factory.mktemp("ward")
            ward = stack.enter_context(wards(postgres_server, catalog_template, place, settings=settings))
            ward.house.policy(policy)
            ward.worker(concurrency=concurrency)
            return ward

        yield opened


@pytest.fixture
def sick(shared: Ward) -> Iterator[Ward]:
    """The file's ward, empty, with nobody ill."""
    yield shared
    shared.heal()
    shared.forget()
    shared.house.reset()


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own over TCP, so that it can be hurt."""
    container = Valkey(folder)
    with redis.Redis.from_url(container.url, retry=Retry(ConstantBackoff(0.05), 600)) as client:
        client.ping()  # it answers
    yield container
    container.teardown()


@pytest.fixture
def open_crew(folder: Path, database_url: str, valkey: Valkey) -> Iterator[OpenCrew]:
    """Opens crews of workers on the test's own catalog and broker; they end with the test."""
    with ExitStack() as stack:

        def opened(*, broker: str = "", settings: Mapping[str, str] | None = None) -> Crew:
            return stack.enter_context(
                crews(folder, catalog=database_url, broker=broker or valkey.url, settings=settings)
            )

        yield opened
