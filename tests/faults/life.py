"""One life in which every step of the engine takes part, told so that each part can be delivered again."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

from faults import crashing
from integration.keeper.house import LEASES_END, TENANT, WORKFLOW, House

from tierkeeper.base.values import Call
from tierkeeper_client.contract import PromoteArgs, PurgeArgs, RestoreArgs

POLICY = """
name: quick
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]
undo: 0d
"""
R = TypeVar("R")


def parts(house: House, tag: str) -> Iterator[Callable[[], object]]:
    """Two artifacts of one content: both stored, one aged; restored, promoted; one purged; swept and collected."""
    keeper, content = house.keeper, f"content of {tag}".encode()
    named = {"tenant": TENANT, "workflow": WORKFLOW}

    def call(part: str) -> Call:
        return Call(f"{tag} {part}", "tester")

    a = house.args(f"{tag}/a", content, age=timedelta(days=8))
    b = house.args(f"{tag}/b", content, age=timedelta(days=1))
    c = house.args(f"{tag}/c", content + b" of its own", age=timedelta(days=9))
    yield lambda: keeper.store(a, call=call("store a"))
    yield lambda: keeper.store_many([b, c], call=call("store b and c"))
    yield house.turn
    yield house.collect
    yield lambda: keeper.restore(RestoreArgs(**named, name=f"{tag}/c"), call=call("restore"))
    yield lambda: keeper.promote(PromoteArgs(**named, name=f"{tag}/b", to_tier="cold"), call=call("promote"))
    yield lambda: keeper.purge(PurgeArgs(**named, name=f"{tag}/a"), call=call("purge"))
    yield house.turn
    yield house.collect


def live(house: House, tag: str) -> int:
    """Live it; after a crash the leases end and the part is delivered again. Returns how often it crashed."""
    crashes = 0
    for part in parts(house, tag):
        while True:
            try:
                part()
            except crashing.Crash:
                crashes += 1
                house.pass_time(LEASES_END)
            else:
                break
    return crashes


def check(house: House, tag: str) -> None:
    """All is as if nothing had ever crashed, and no effect was had twice."""
    content = f"content of {tag}".encode()
    assert house.show(f"{tag}/a").state == "purged"
    assert house.tiers(f"{tag}/b") == {"cold"}
    assert house.tiers(f"{tag}/c") == {"hot", "warm"}
    assert house.read(f"{tag}/b") == content
    assert house.read(f"{tag}/c") == content + b" of its own"
    for name in "abc":
        assert house.show(f"{tag}/{name}").ref.version == 1
    told = {name: Counter(house.events(f"{tag}/{name}")) for name in "abc"}
    assert {k: told["a"][k] for k in ("stored", "deleted", "purged")} == {"stored": 1, "deleted": 1, "purged": 1}
    assert {k: told["b"][k] for k in ("stored", "promoted", "deleted")} == {"stored": 1, "promoted": 1, "deleted": 0}
    assert {k: told["c"][k] for k in ("stored", "restored", "deleted")} == {"stored": 1, "restored": 1, "deleted": 0}
