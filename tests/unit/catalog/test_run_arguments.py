"""The data of runs keep the JSON form in which earlier releases stored them."""

from uuid import UUID

import pytest

from tierkeeper.catalog.recomputing import RecomputeArguments
from tierkeeper.catalog.runs import AcceptArguments, ApplyArguments, Arguments

ONE = UUID(int=1)


@pytest.mark.parametrize(
    ("arguments", "stored"),
    [
        (RecomputeArguments(["drafts v2"], []), {"policies": ["drafts v2"], "after": str(UUID(int=0)), "reaches": []}),
        (ApplyArguments(ONE), {"plan": str(ONE)}),
        (AcceptArguments("an older dump"), {"accepted": "an older dump"}),
    ],
)
def test_the_stored_form(arguments: Arguments, stored: dict[str, object]) -> None:
    """The arguments of a run are stored with the keys of earlier releases."""
    assert arguments.as_json() == stored
