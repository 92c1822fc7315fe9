"""Events as a table."""

from uuid import UUID

import pytest

from tierkeeper.base import clock
from tierkeeper.cli.support.eventlog import event_table
from tierkeeper.values.events import EventView


@pytest.mark.parametrize(("tenant", "shown"), [(None, ""), ("acme", "acme")])
def test_an_event_of_no_artifact_names_none(tenant: str | None, shown: str) -> None:
    """The whole catalog's events have an empty cell, a tenant's have the tenant."""
    event = EventView(
        subject=UUID(int=1),
        revision=1,
        at=clock.now(),
        type="epoch raised",
        tenant=tenant,
        workflow=None,
        name=None,
        version=None,
        actor="cli:kim",
        before=None,
        after=None,
        policy=None,
        run=None,
        correlation=None,
        age_days=None,
    )
    artifacts = event_table([event]).columns[2]
    assert [str(cell) for cell in artifacts.cells][-1:] == [shown]
