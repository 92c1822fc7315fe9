"""What happens around the workers: crashes, late effects, leases and graces that end, time, and what users ask."""

from collections.abc import Iterator

from faults.protocol import working
from faults.protocol.checker import Step
from faults.protocol.rules import Protocol
from faults.protocol.state import COLD, EXPIRED, HOT, Artifact, Copy, State, delete, tiers_of


def successors(
    protocol: Protocol, state: State, *, jobs: frozenset[str], faults: bool = True, users: bool = True
) -> Iterator[Step[State]]:
    """Everything that may happen next."""
    for worker, job in enumerate(state.workers):
        if job is None:
            steps = working.begin(protocol, state, worker, jobs=jobs)
        else:
            steps = working.go_on(protocol, state, worker, job, faults=faults)
            if faults and state.budget.crashes:
                less = state.budget._replace(crashes=state.budget.crashes - 1)
                yield Step(f"{job.kind} CRASHES before {job.at}", state.with_job(worker, None)._replace(budget=less))
        for step in steps:
            yield step._replace(by=worker)
    yield from _effects(state, faults=faults)
    yield from _operator(protocol, state, faults=faults)
    yield from _ends(state, faults=faults)
    if users:
        yield from _time(protocol, state)
        if state.budget.wishes:
            yield from _wishes(protocol, state)


def _effects(state: State, *, faults: bool) -> Iterator[Step[State]]:
    for effect in state.pending:
        kind, slot = effect
        rest = state._replace(pending=state.pending - {effect})
        if kind == "delete":
            after, broken = delete(rest, slot)
            yield Step(f"a late DELETE of {slot} takes effect", after, broken)
        else:
            after = rest.with_copy(slot, rest.copies[slot]._replace(bytes=True))
            yield Step(f"a late PUT of {slot} takes effect", after)
        if faults:
            yield Step(f"a late {kind} of {slot} never comes", rest)


def _operator(protocol: Protocol, state: State, *, faults: bool) -> Iterator[Step[State]]:
    """Rows that a mistake lost are found again, and always within the time of the quarantine."""
    for slot, copy in enumerate(state.copies):
        if faults and state.budget.losses and copy.state == "present":
            less = state.budget._replace(losses=state.budget.losses - 1)
            gone = state.with_copy(slot, copy._replace(state="lost"))
            yield Step(f"the row of {slot} is lost", gone._replace(budget=less))
        if copy.state == "lost":
            yield Step(f"the row of {slot} is found again", _found(protocol, state, slot, copy))
        elif copy.seen == 1:
            yield Step(f"the quarantine of {slot} ends", state.with_copy(slot, copy._replace(seen=2)))


def _found(protocol: Protocol, state: State, slot: int, copy: Copy) -> State:
    needed = copy.tier & protocol.wanted_by_any(state) & ~tiers_of(state.copies)
    back = copy._replace(state="present" if needed else "doomed", ripe=False, seen=0)
    return state.with_copy(slot, back)


def _ends(state: State, *, faults: bool) -> Iterator[Step[State]]:
    """Graces end at any time; leases of the dead too, and of the living as often as the budget allows."""
    for slot, copy in enumerate(state.copies):
        if copy.state == "doomed" and not copy.ripe:
            yield Step(f"the grace of {slot} ends", state.with_copy(slot, copy._replace(ripe=True)))
        if copy.state == "copying" and copy.maker not in {None, EXPIRED}:
            owner = state.workers[copy.maker or 0]
            ended = state.with_copy(slot, copy._replace(maker=EXPIRED))
            if owner is None or slot not in owner.slots:
                yield Step(f"the lease of intent {slot} ends", ended)
            elif faults and state.budget.expiries:
                yield Step(f"the lease of intent {slot} ends, its maker is paused", _spent(ended))
    for index, artifact in enumerate(state.artifacts):
        if artifact.lease is None:
            continue
        job = state.workers[artifact.lease]
        ended = state.with_artifact(index, artifact._replace(lease=None))
        if job is None or job.kind != "converge" or job.artifact != index:
            yield Step(f"the lease of {working.NAMES[index]} ends", ended)
        elif faults and state.budget.expiries:
            yield Step(f"the lease of {working.NAMES[index]} ends, its worker is paused", _spent(ended))


def _spent(state: State) -> State:
    return state._replace(budget=state.budget._replace(expiries=state.budget.expiries - 1))


def _time(protocol: Protocol, state: State) -> Iterator[Step[State]]:
    scenario = protocol.scenario
    for index, artifact in enumerate(state.artifacts):
        name = working.NAMES[index]
        oldest = scenario.artifacts[index].phase + scenario.ageing
        if artifact.life == "live" and artifact.phase < oldest:
            older = artifact._replace(phase=artifact.phase + 1, due=True)
            yield Step(f"{name} enters its next phase", state.with_artifact(index, older))
        if artifact.life == "deleted" and not artifact.purge_due:
            over = artifact._replace(purge_due=True, due=True)
            yield Step(f"the undo window of {name} ends", state.with_artifact(index, over))
    if scenario.guarded and (state.retains or any(artifact.sworn for artifact in state.artifacts)):
        yield Step("retention ends", _free(state))


def _free(state: State) -> State:
    """Retention is over: the rows' time has come, the stores let go, and what waited for it is due."""
    for index, artifact in enumerate(state.artifacts):
        free = artifact._replace(retained=False, sworn=False, due=artifact.due or artifact.counted)
        state = state.with_artifact(index, free)
    return state._replace(retains=False, copies=tuple(copy._replace(locked=False) for copy in state.copies))


def _wishes(protocol: Protocol, state: State) -> Iterator[Step[State]]:
    """Verbs: each changes what is wanted and makes due, whoever has the lease (R9)."""
    told = state._replace(budget=state.budget._replace(wishes=state.budget.wishes - 1))
    for index, artifact in enumerate(state.artifacts):
        for what, changed in _verbs(protocol, state, index, artifact):
            after = told.with_artifact(index, changed)
            if what == "undelete":
                after = working.surplus_due(protocol, after, index)
            yield Step(f"a user: {what} {working.NAMES[index]}", after)
    if "lengthen" in protocol.scenario.wishes and not state.retains:
        yield Step("an operator lengthens the policy's retention", _edited(told, retains=True))
    if "shorten" in protocol.scenario.wishes and state.retains:
        yield Step("an operator shortens the policy's retention", _edited(told, retains=False))


def _edited(state: State, *, retains: bool) -> State:
    """A policy edit; recompute makes due what it may concern."""
    for index, artifact in enumerate(state.artifacts):
        state = state.with_artifact(index, artifact._replace(due=artifact.due or artifact.counted))
    return state._replace(retains=retains)


def _verbs(protocol: Protocol, state: State, index: int, artifact: Artifact) -> Iterator[tuple[str, Artifact]]:
    wishes = protocol.scenario.wishes
    if "purge" in wishes and artifact.life == "live" and not protocol.protected(state, artifact):
        yield "purge", artifact._replace(life="deleted", due=False)
    if "undelete" in wishes and artifact.life == "deleted":
        due = artifact.due or protocol.rules.r10_undelete_due
        yield "undelete", artifact._replace(life="live", purge_due=False, due=due, pinned=True)
    if "restore" in wishes and artifact.life == "live":
        yield "restore", artifact._replace(override=artifact.override ^ HOT, due=True)
    if "promote" in wishes and artifact.life == "live":
        phase = 0 if artifact.phase else protocol.scenario.phases.index(COLD)
        yield "promote", artifact._replace(phase=phase, due=True)
    if "hold" in wishes and index == 0 and artifact.life != "none":
        if artifact.held:
            yield "release", artifact._replace(held=False, due=artifact.counted)
        elif any(copy.state in {"present", "doomed"} for copy in state.copies):
            yield "hold", artifact._replace(held=True)
