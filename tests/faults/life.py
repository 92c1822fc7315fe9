"""One life in which every step of the engine takes part, told so that each part can be delivered again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from support import crashing
from support.house import LEASES_END, TENANT, WORKFLOW, House
from support.reconciling import deleted_orphans, late, quarantined

from tierkeeper.base.callers import Caller
from tierkeeper.engine import run_life
from tierkeeper_client.contract import (
    Message,
    PromoteArgs,
    PurgeArgs,
    RestoreArgs,
    StoreArgs,
    StoreManyArgs,
    SweepArgs,
    TaskName,
)

POLICY = """
name: quick
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]
undo: 0d
"""
#: longer than a lease, and than a reconcile without progress counts as at work
SILENCE_ENDS = run_life.SILENCE + LEASES_END


@dataclass(frozen=True, slots=True)
class Part:
    """One message: its task, its arguments, and the key under which it is delivered, again too."""

    key: str
    task: TaskName
    args: Message


def parts(house: House, tag: str, *, orphaned: bool = False) -> list[Part]:
    """Two artifacts of one content: both stored, one aged; restored, promoted; one purged; swept and collected.

    ``orphaned``: there is an orphan too, which two reconciles see.
    """
    content = f"content of {tag}".encode()
    named = {"tenant": TENANT, "workflow": WORKFLOW}
    a = house.args(f"{tag}/a", content, age=timedelta(days=8))
    b = house.args(f"{tag}/b", content, age=timedelta(days=1))
    c = house.args(f"{tag}/c", content + b" of its own", age=timedelta(days=9))
    told: list[tuple[TaskName, Message]] = [
        (TaskName.STORE, a),
        (TaskName.STORE_MANY, StoreManyArgs(items=[b, c])),
        (TaskName.ROTATE, SweepArgs()),
        (TaskName.COLLECT, SweepArgs()),
        (TaskName.RESTORE, RestoreArgs(**named, name=f"{tag}/c")),
        (TaskName.PROMOTE, PromoteArgs(**named, name=f"{tag}/b", to_tier="cold")),
        (TaskName.PURGE, PurgeArgs(**named, name=f"{tag}/a")),
        (TaskName.ROTATE, SweepArgs()),
        (TaskName.COLLECT, SweepArgs()),
    ]
    if orphaned:
        late(house, content=content)
        told += [(TaskName.RECONCILE, SweepArgs())] * 2
    return [Part(f"{tag} {number} {task.value}", task, args) for number, (task, args) in enumerate(told)]


def perform(house: House, part: Part) -> None:
    """Do what a worker does for this message, in this process."""
    keeper, caller, args = house.keeper, Caller("tester", key=part.key), part.args
    match args:
        case StoreArgs():
            keeper.artifacts.store(args, caller=caller)
        case StoreManyArgs():
            keeper.artifacts.store_many(args.items, caller=caller)
        case RestoreArgs():
            keeper.artifacts.restore(args, caller=caller)
        case PromoteArgs():
            keeper.artifacts.promote(args, caller=caller)
        case PurgeArgs():
            keeper.artifacts.purge(args, caller=caller)
        case _ if part.task is TaskName.ROTATE:
            house.turn()
        case _ if part.task is TaskName.COLLECT:
            house.collect()
        case _ if part.task is TaskName.RECONCILE:
            keeper.sweeps.reconcile(caller=caller)
        case _:
            raise AssertionError(part)


def live(house: House, told: Sequence[Part]) -> int:
    """Live these parts; after a crash the leases end and the part is delivered again. Returns how often it crashed."""
    crashes = 0
    for part in told:
        while True:
            try:
                perform(house, part)
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
    orphans = house.sql("SELECT before ->> 'location' AS place FROM events WHERE type = 'collected' AND run_id IS NULL")
    assert Counter(told["location"] for told in deleted_orphans(house)) == Counter(row.place for row in orphans)
    assert quarantined(house) == 0
