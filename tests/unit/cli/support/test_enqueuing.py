"""What workers answer about files that were sent to them."""

from uuid import uuid4

from tierkeeper.cli.support import enqueuing
from tierkeeper.values.artifacts import ItemError, Ref, StoreResult
from tierkeeper.values.plain import plain


def test_answers_are_the_outcomes_that_were_sent() -> None:
    """An outcome and an item's error are read from an answer as they were before they were written into it."""
    stored = StoreResult(Ref("acme", "w", "a", 1), uuid4(), "00" * 32, 3, ("hot",), "stored")
    failed = ItemError(Ref("acme", "w", "b"), {"error": "InvalidInput", "message": "no"})
    assert [enqueuing.result_of(plain(each)) for each in (stored, failed)] == [stored, failed]
