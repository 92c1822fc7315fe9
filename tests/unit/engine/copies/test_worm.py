"""Which copies are locked: a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from support.placement_rows import copy

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import worm
from tierkeeper.policy.rules import Policy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = NOW + timedelta(days=1)
#: what is asked of an engine and a policy here
ENGINE = SimpleNamespace(stores={"warm", "cold", "silent"})
POLICY = SimpleNamespace(retention=SimpleNamespace(tiers={"warm", "cold", "silent", "gone"}, mode="governance"))
LOCKABLE = {"warm": True, "cold": False}


@pytest.mark.parametrize(
    ("one", "locked"),
    [
        (copy("warm"), True),
        (replace(copy("warm"), locked_until=NOW), True),
        (replace(copy("warm"), locked_until=UNTIL), False),
        # a copy that was not found gets its lock once it is found: where it should be there may be another's now (R20)
        (replace(copy("warm"), missed_at=NOW), False),
        (copy("warm", PlacementState.DOOMED), False),
        (copy("hot"), False),
        (copy("cold"), False),
        # it did not tell whether it can lock: its lock is missing until it does
        (copy("silent"), True),
        (copy("gone"), False),
    ],
)
def test_wanted(one: PlacementRow, locked: bool) -> None:  # noqa: FBT001  a column of the table
    """A present copy that is no suspect, in a configured tier that the retention names and that can lock."""
    found = worm.wanted(cast("Engine", ENGINE), cast("Policy", POLICY), UNTIL, [one], lockable=LOCKABLE, now=NOW)
    assert [lock.placement for lock in found] == ([one.id] if locked else [])
