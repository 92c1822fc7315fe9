"""What must not be where artifacts share a content (I1 to I4, I8), and what is left over once everything settles."""

from collections.abc import Iterator
from dataclasses import dataclass

from faults.protocol import working, world
from faults.protocol.checker import Step, World
from faults.protocol.rules import Protocol
from faults.protocol.state import State, tiers_of

_SETTLED_BY = 160  # steps without faults after which everything due must be done
_EVERYTHING = frozenset({"converge", "collect", "reconcile"})


@dataclass(frozen=True, slots=True)
class Sharing(World[State]):
    """The world of R1 to R14: two artifacts and the copies of their content."""

    protocol: Protocol

    def begin(self) -> State:
        return self.protocol.scenario.begin()

    def steps(self, state: State) -> Iterator[Step[State]]:
        return world.successors(self.protocol, state, jobs=self.protocol.scenario.jobs)

    def broken(self, state: State) -> str | None:
        return _broken(self.protocol, state)

    def unsettled(self, state: State) -> str | None:
        return _after_settling(self.protocol, state)


def _broken(protocol: Protocol, state: State) -> str | None:
    """I1 to I3, of one state."""
    present = [copy for copy in state.copies if copy.state == "present"]
    if any(not copy.bytes for copy in present):
        return "I3: a present copy has no bytes"
    if len({copy.tier for copy in present}) < len(present):
        return "I3: two copies are present in one tier"
    kept = [copy for copy in state.copies if copy.bytes and copy.state in {"present", "doomed", "lost"}]
    readable = [copy for copy in kept if protocol.rules.r6_own_key or copy.key == state.blob]
    for artifact in state.artifacts:
        if artifact.counted and not state.blob:
            return f"I1: a {artifact.life} artifact has no blob row"
        if artifact.counted and not readable:
            return f"I1: a {artifact.life} artifact has no readable copy"
        if artifact.held and not kept:
            return "I2: held content has no copy"
    return None


def _after_settling(protocol: Protocol, state: State) -> str | None:
    """I4 and I8: no more faults and no more wishes; everything due is done, fairly, and then nothing is left over."""
    if any(state.workers) or state.pending:
        return None
    begun = 0
    for _ in range(_SETTLED_BY):
        step = _fair(protocol, state, begun)
        if step is None:
            break
        if step.by is not None and state.workers[step.by] is None:
            begun += 1
        state = step.state
    return _left_over(protocol, state)


def _left_over(protocol: Protocol, state: State) -> str | None:
    return _copy_left_over(protocol, state) or _artifact_left_over(protocol, state)


def _copy_left_over(protocol: Protocol, state: State) -> str | None:
    wanted = protocol.wanted_by_any(state)
    # what was deleted in the middle of a move is settled at the end of its undo window
    in_window = any(artifact.life == "deleted" and not artifact.purge_due for artifact in state.artifacts)
    waits = in_window and bool(wanted & ~tiers_of(state.copies))
    held = waits or any(working.sworn(state, artifact) for artifact in state.artifacts)
    for copy in state.copies:
        if copy.state == "free" and copy.bytes:
            return "I8: bytes that no row knows"
        if copy.state in {"copying", "deleting"} or (copy.state == "doomed" and not held and not copy.locked):
            return f"I4: a {copy.state} copy stays for ever"
        if copy.state == "present" and not copy.tier & wanted:
            return "I4: a copy that nobody wants stays for ever"
    return None


def _artifact_left_over(protocol: Protocol, state: State) -> str | None:
    for index, artifact in enumerate(state.artifacts):
        if artifact.life == "live" and protocol.wanted(state, artifact) & ~tiers_of(state.copies):
            return "I4: a wanted copy is never made"
        if protocol.expires(state, index):
            return "I4: what its policy deletes stays for ever"
        if artifact.counted and working.missing_locks(protocol, state, index):
            return "I4: a retained copy is never locked"
    return None


def _fair(protocol: Protocol, state: State, begun: int) -> Step[State] | None:
    """The next step when everything gets its turn: who is at work first, then the world, then new work of each kind."""
    orphans = any(copy.bytes and copy.state == "free" for copy in state.copies)
    jobs = _EVERYTHING if orphans else _EVERYTHING - {"reconcile"}
    steps = list(world.successors(protocol, state, jobs=jobs, faults=False, users=False))
    busy = [step for step in steps if step.by is not None and state.workers[step.by] is not None]
    around = [step for step in steps if step.by is None]
    new = [step for step in steps if step.by == 0 and state.workers[0] is None]
    for choice in (busy, around):
        if choice:
            return choice[0]
    return new[begun % len(new)] if new else None
