"""What stays in the catalog of a month of events that is detached."""

import ast
from pathlib import Path

from tierkeeper.audit.kept import KEPT
from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.vocabulary import VOCABULARY
from tierkeeper.catalog import events

ROOT = Path(__file__).parents[3]
#: which types are asked for one by one, wherever events are read
ASKED = {"tierkeeper/engine/read/views.py"}


def test_the_receipts_and_the_approvals_stay() -> None:
    """How artifacts came and ended, holds, approvals; and the ends of copies."""
    named = {EventType.STORED, EventType.DELETED, EventType.PURGED, EventType.DESTROYED, EventType.HOLD_RELEASED}
    assert named | {EventType.BRAKED, EventType.APPROVED, EventType.REJECTED, *events._ENDS} <= KEPT
    assert not {EventType.MOVED, EventType.PLACED} & KEPT


def test_subjects_that_no_row_counts_keep_their_revisions() -> None:
    """`next_revision` asks for their last event: of runs, switches and the catalog every one stays."""
    counted = {SubjectKind.RUN, SubjectKind.SWITCH, SubjectKind.CATALOG}
    assert {type_ for kind, type_ in VOCABULARY if kind in counted} <= KEPT


def test_what_explain_asks_for_stays() -> None:
    """Every type that a view of the past compares with is kept."""
    asked = {
        node.attr
        for file in ASKED
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "EventType"
    }
    assert len(asked) >= 4
    assert {EventType[name] for name in asked} <= KEPT
