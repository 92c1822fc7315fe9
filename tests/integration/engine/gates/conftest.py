import pytest
from support.house import House, OpenHouse


@pytest.fixture
def braked(open_house: OpenHouse) -> House:
    """A keeper whose policies delete at most ten artifacts of a tenant a day."""
    return open_house(engine={"brake_share": 0, "brake_count": 10, "batch": 4})
