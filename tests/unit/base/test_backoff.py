"""The waits between attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierkeeper.base.backoff import Backoff
from tierkeeper.catalog import database, migrate
from tierkeeper.cli.support import supervisor
from tierkeeper.engine.converge import commit
from tierkeeper.engine.operations import deliveries
from tierkeeper.settings.order import COPY_PAUSES


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        (commit.PAUSES, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
        (commit.PAUSES_FOR_OTHERS, [1, 1, 1]),
        (deliveries.PAUSES, [30, 60, 120, 240, 300, 300]),
        (database.PAUSES, [0.1, 0.2, 0.4, 0.8]),
        (migrate.PAUSES, [0.5, 1, 2, 4, 4]),
        (COPY_PAUSES, [1, 2, 4, 8, 16, 20, 20]),
        (supervisor.PAUSES, [1, 2, 4, 8, 16, 30, 30]),
        (Backoff(first=1, cap=100, factor=3), [1, 3, 9, 27, 81, 100]),
    ],
)
def test_waits(backoff: Backoff, waits: list[float]) -> None:
    """Waits grow by the factor from the first to the cap."""
    assert [backoff.longest(failures) for failures in range(1, len(waits) + 1)] == pytest.approx(waits)


@given(failures=st.integers(1, 10**9), least=st.floats(0, 1), more=st.floats(0, 1))
def test_jitter(failures: int, least: float, more: float) -> None:
    """A wait lies between its bounds after any number of failures."""
    backoff = Backoff(first=2, cap=300, least=least, most=least + more)
    longest = backoff.longest(failures)
    assert longest * least <= backoff.seconds(failures) <= longest * (least + more)
