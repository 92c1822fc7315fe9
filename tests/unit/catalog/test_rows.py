"""How the verbs' wishes in a row become the one override of a decision."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.artifact_rows import NOW, ROW

from tierkeeper.base.states import ArtifactState, OverrideKind
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.policy.decision import Override

LATER = NOW + timedelta(days=1)
HOT, COLD = frozenset({"hot"}), frozenset({"cold"})
RESTORED = replace(ROW, override_kind="add", override_tiers=HOT, override_until=LATER)
PROMOTED = replace(RESTORED, override_kind="replace")


@pytest.mark.parametrize(
    ("row", "override"),
    [
        # one wish at a time
        (ROW, None),
        (RESTORED, Override(OverrideKind.ADD, HOT, LATER)),
        (PROMOTED, Override(OverrideKind.REPLACE, HOT, LATER)),
        (replace(ROW, archived_tiers=COLD), Override(OverrideKind.REPLACE, COLD, None)),
        # one that has ended
        (replace(RESTORED, override_until=NOW), None),
        (replace(RESTORED, override_until=NOW, archived_tiers=COLD), Override(OverrideKind.REPLACE, COLD, None)),
        # an archive beneath another
        (replace(RESTORED, archived_tiers=COLD), Override(OverrideKind.REPLACE, HOT | COLD, LATER)),
        (replace(PROMOTED, archived_tiers=COLD), Override(OverrideKind.REPLACE, HOT, LATER)),
        # for good
        (replace(RESTORED, override_until=None), Override(OverrideKind.ADD, HOT, None)),
    ],
)
def test_overrides(row: ArtifactRow, override: Override | None) -> None:
    """A restore or promote counts until its end; an archive lasts beneath it and after it."""
    assert row.facts(NOW).override == override


def test_a_subject_does_not_depend_on_the_order_of_tags() -> None:
    """The tags of what policies are matched against are in one order."""
    assert ROW.subject == replace(ROW, tags={"a": "1", "b": "2"}).subject


@pytest.mark.parametrize(("state", "counted"), [("live", True), ("deleted", True), ("purged", False)])
def test_who_counts(state: str, counted: bool) -> None:  # noqa: FBT001  a column of the table
    """Live and deleted artifacts count for their blob until they are purged (R7)."""
    assert replace(ROW, state=ArtifactState(state)).counted is counted
