"""`lifecycle apply`, where something ends it early."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.base.states import Outcome
from tierkeeper.cli.support import plans
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.plans import AppliedItem


@pytest.mark.parametrize("error", [CatalogUnavailable(reason="away"), KeyboardInterrupt()])
def test_what_was_done_before_an_early_end_is_said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """The items that were done until then are counted and listed."""

    def apply(_plan: UUID, **_options: object) -> Iterator[AppliedItem]:
        for number in range(2):
            yield AppliedItem(Ref("acme", "w", f"a{number}", 1), uuid4(), "move", Outcome.DONE, "")
        raise error

    given: Any = SimpleNamespace(
        keeper=SimpleNamespace(plans=SimpleNamespace(apply=apply)),
        output=Output(as_json=True),
        caller=Caller("tests"),
        closed_at_end=iter,
    )
    with pytest.raises(type(error)):
        plans._carry_out(cast("Session", given), uuid4(), dry_run=False)
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["counts"], [item["ref"]["name"] for item in found["items"]]) == ({"move: done": 2}, ["a0", "a1"])
    assert "it ended before all of the plan was done" in printed.err
