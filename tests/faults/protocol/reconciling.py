"""Reconcile: bytes that no row knows. It lists the store, looks each location up, and deletes what it saw twice."""

from collections.abc import Iterator

from faults.protocol.checker import Step
from faults.protocol.rules import Protocol
from faults.protocol.state import Job, State, delete

_NO_ROW = frozenset({"free", "lost"})


def begin(protocol: Protocol, state: State, worker: int) -> Iterator[Step[State]]:
    """List the store first (R4), or, without that rule, the catalog."""
    if protocol.rules.r4_list_first:
        listed = tuple(slot for slot, copy in enumerate(state.copies) if copy.bytes)
        if listed:
            job = Job("reconcile", "look up", listed)
            yield Step(f"reconcile: the store has {listed}", state.with_job(worker, job))
    else:
        rows = tuple(slot for slot, copy in enumerate(state.copies) if copy.state not in _NO_ROW)
        yield Step(f"reconcile: the catalog has {rows}", state.with_job(worker, Job("reconcile", "list", rows)))


def go_on(protocol: Protocol, state: State, worker: int, job: Job) -> Iterator[Step[State]]:
    """Look up what was listed; put orphans into quarantine; delete those that were there for long enough."""
    if job.at in {"look up", "list"}:
        if job.at == "look up":
            orphans = tuple(slot for slot in job.slots if state.copies[slot].state in _NO_ROW)
        else:
            orphans = tuple(slot for slot, copy in enumerate(state.copies) if copy.bytes and slot not in job.slots)
        going = orphans
        if protocol.rules.seen_twice:
            going = tuple(slot for slot in orphans if state.copies[slot].seen == 2)
            for slot in orphans:
                state = state.with_copy(slot, state.copies[slot]._replace(seen=max(1, state.copies[slot].seen)))
        then = Job("reconcile", "delete", going) if going else None
        yield Step(f"reconcile: orphans are {orphans}, {going} go", state.with_job(worker, then))
        return
    slot, rest = job.slots[0], job.slots[1:]
    after, broken = delete(state, slot)
    after = after.with_copy(slot, after.copies[slot]._replace(seen=0))
    yield Step(f"reconcile: DELETE {slot}", after.with_job(worker, job._replace(slots=rest) if rest else None), broken)
