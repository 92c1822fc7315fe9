"""What workers do, one transaction or one call of a store at a time: converge, store, collect."""

from collections.abc import Iterator

from faults.protocol import reconciling
from faults.protocol.checker import Step
from faults.protocol.rules import Protocol
from faults.protocol.state import EXPIRED, HOT, TIERS, Artifact, Copy, Job, State, delete, tiers_of

NAMES = "AB"


def begin(protocol: Protocol, state: State, worker: int, *, jobs: frozenset[str]) -> Iterator[Step[State]]:
    """What an idle worker may begin."""
    if "converge" in jobs:
        for index, artifact in enumerate(state.artifacts):
            if artifact.due and artifact.lease is None and artifact.counted:
                claimed = state.with_artifact(index, artifact._replace(lease=worker))
                yield Step(f"claim {NAMES[index]}", claimed.with_job(worker, Job("converge", "intend", artifact=index)))
    if "store" in jobs:
        yield from _deliver(protocol, state, worker)
    if "collect" in jobs:
        yield from _pick(protocol, state, worker)
    if "reconcile" in jobs and not any(job is not None and job.kind == "reconcile" for job in state.workers):
        yield from reconciling.begin(protocol, state, worker)


def go_on(protocol: Protocol, state: State, worker: int, job: Job, *, faults: bool) -> Iterator[Step[State]]:
    """The next step of a busy worker."""
    late = faults and state.budget.late > 0
    if job.kind == "converge":
        yield from _converge(protocol, state, worker, job, late=late)
    elif job.kind == "store":
        yield from _store(protocol, state, worker, job, late=late)
    elif job.kind == "collect":
        yield from _collect(protocol, state, worker, job, late=late)
    else:
        yield from reconciling.go_on(protocol, state, worker, job)


# -- converge


def _converge(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step[State]]:
    if job.at == "intend":
        yield _intend(protocol, state, worker, job)
    elif job.at == "copy":
        (source, target), rest = job.todo[0], job.todo[1:]
        then = job._replace(todo=rest, at="copy" if rest else "commit")
        copy = state.copies[target]
        if not state.copies[source].bytes:
            without = tuple(slot for slot in then.slots if slot != target)
            yield Step("copy: the source is gone", state.with_job(worker, then._replace(slots=without)))
            return
        # nothing stops a store from writing, even where the row was collected meanwhile
        done = state.with_copy(target, copy._replace(bytes=True, key=state.copies[source].key))
        yield Step(f"copy to {target}", done.with_job(worker, then))
        if late:
            without = tuple(slot for slot in then.slots if slot != target)
            lost = state.with_job(worker, then._replace(slots=without)).late(("put", target))
            yield Step(f"copy to {target} times out", lost)
    elif job.at == "lock":
        yield _lock(state, worker, job)
    elif protocol.rules.r12_commit_lock or job.read is not None:
        yield _commit(protocol, state, worker, job)
    else:
        read = (protocol.wanted_by_others(state, job.artifact), tiers_of(state.copies))
        yield Step("commit: read without a lock", state.with_job(worker, job._replace(read=read)))


def _intend(protocol: Protocol, state: State, worker: int, job: Job) -> Step[State]:
    """Steps 2 and 3: decide, and commit intents for what is missing and can't be rescued."""
    artifact = state.artifacts[job.artifact]
    wanted = protocol.wanted(state, artifact)
    union = wanted | protocol.wanted_by_others(state, job.artifact)
    lacking = union & ~tiers_of(state.copies) & ~tiers_of(state.copies, "doomed")
    source = next((s for s, copy in enumerate(state.copies) if copy.state == "present"), None)
    if source is None:
        source = next((s for s, copy in enumerate(state.copies) if copy.state == "doomed"), None)
    todo: list[tuple[int, int]] = []
    after = state
    for tier in TIERS:
        busy = any(c.state == "copying" and c.tier == tier and c.maker != EXPIRED for c in state.copies)
        slot = after.free_slot(tuple(target for _, target in todo))
        if not lacking & tier or busy or source is None or slot is None:
            continue
        after = after.with_copy(slot, Copy(tier, "copying", key=after.copies[source].key, maker=worker))
        todo.append((source, slot))
    targets = tuple(target for _, target in todo)
    then = job._replace(at="copy" if todo else "commit", todo=tuple(todo), wanted=wanted, slots=targets)
    return Step(f"intend for {NAMES[job.artifact]}: {targets}", after.with_job(worker, then))


def _commit(protocol: Protocol, state: State, worker: int, job: Job) -> Step[State]:
    """Step 5. The lease is not asked: the intents' own rows are the fence."""
    rules, index = protocol.rules, job.artifact
    artifact = state.artifacts[index]
    wanted = protocol.wanted(state, artifact) if rules.r9_decide_again else job.wanted
    expires = protocol.expires(state, index)
    if expires:
        wanted = artifact.wanted
    others, seen = job.read or (protocol.wanted_by_others(state, index), 0)
    union = wanted | others
    after = _land(protocol, state, job.slots, union)
    after = _rescue(after, union)
    complete = not union & ~(tiers_of(after.copies) | seen)
    if complete:
        for slot, copy in enumerate(after.copies):
            if copy.state == "present" and not copy.tier & union:
                after = after.with_copy(slot, copy._replace(state="doomed", ripe=False))
    free = not protocol.protected(state, artifact)
    changed = _advance(artifact, wanted, complete=complete, expires=expires, free=free)
    changed = _retain(protocol, state, changed)
    broken = None
    if changed.life == "purged" != artifact.life and sworn(state, artifact):
        broken = "I2: what is protected was purged"
    after = after.with_artifact(index, changed)
    unlocked = missing_locks(protocol, after, index)
    if artifact.lease in {worker, None}:
        later = bool(unlocked) and rules.locks_are_due
        after = after.with_artifact(index, changed._replace(lease=None, due=not complete or later))
    what = f"COMMIT {NAMES[index]}: wants {wanted}, all want {union}{'' if complete else ', not complete'}"
    then = Job("converge", "lock", slots=unlocked, artifact=index) if unlocked else None
    return Step(f"{what}, {changed.life}", after.with_job(worker, then), broken)


def _retain(protocol: Protocol, state: State, artifact: Artifact) -> Artifact:
    """Note the retention of the policy of now; a shorter one takes nothing away."""
    if artifact.life not in {"live", "deleted"}:
        return artifact
    grows = protocol.rules.retention_grows
    retained = state.retains or (artifact.retained and grows)
    return artifact._replace(retained=retained, sworn=artifact.sworn or state.retains)


def missing_locks(protocol: Protocol, state: State, index: int) -> tuple[int, ...]:
    """The present copies in the guarded tiers that retention wants locked, and that are not."""
    if not protocol.retained(state, state.artifacts[index]):
        return ()
    guarded = [(slot, copy) for slot, copy in enumerate(state.copies) if copy.tier & protocol.scenario.guarded]
    return tuple(slot for slot, copy in guarded if copy.state == "present" and not copy.locked)


def _lock(state: State, worker: int, job: Job) -> Step[State]:
    """Step 6: on exactly the copies that were committed, where they are still present."""
    slot, rest = job.slots[0], job.slots[1:]
    copy = state.copies[slot]
    after = state.with_copy(slot, copy._replace(locked=True)) if copy.state == "present" else state
    return Step(f"lock {slot}", after.with_job(worker, job._replace(slots=rest) if rest else None))


def _advance(artifact: Artifact, wanted: int, *, complete: bool, expires: bool, free: bool) -> Artifact:
    if expires:
        return artifact._replace(life="deleted", purge_due=False)
    if artifact.life == "deleted" and artifact.purge_due and free:
        return artifact._replace(life="purged", wanted=0) if complete else artifact
    if artifact.life not in {"live", "deleted"}:
        return artifact
    return artifact._replace(wanted=wanted if complete else artifact.wanted | wanted)


def _land(protocol: Protocol, state: State, uploads: tuple[int, ...], union: int) -> State:
    """Verified uploads become present, or doomed where one is or none is wanted."""
    for slot in uploads:
        copy = state.copies[slot]
        if copy.state != "copying" and protocol.rules.r2_fenced:
            continue
        wins = bool(copy.tier & union) and not copy.tier & tiers_of(state.copies)
        state = state.with_copy(slot, copy._replace(state="present" if wins else "doomed", ripe=False, maker=None))
    return state


def _rescue(state: State, union: int) -> State:
    for slot, copy in enumerate(state.copies):
        if copy.state == "doomed" and copy.tier & union and not copy.tier & tiers_of(state.copies):
            state = state.with_copy(slot, copy._replace(state="present", ripe=False))
    return state


# -- store, which writes to HOT


def _deliver(protocol: Protocol, state: State, worker: int) -> Iterator[Step[State]]:
    for index, left in enumerate(state.budget.deliveries):
        if not left:
            continue
        first, second = state.budget.deliveries
        less = (left - 1, second) if index == 0 else (first, left - 1)
        told = state._replace(budget=state.budget._replace(deliveries=less))
        if state.artifacts[index].life != "none":
            yield Step(f"store {NAMES[index]} again: the first result", told)
            continue
        key = worker + 1 if protocol.scenario.own_keys else 1
        told = told._replace(blob=told.blob or key)
        if tiers_of(state.copies) & HOT:
            yield Step(
                f"store {NAMES[index]}: a copy is there",
                told.with_job(worker, Job("store", "commit", artifact=index)),
            )
            continue
        slot = state.free_slot()
        if slot is None:
            continue
        job = Job("store", "write", slots=(slot,), artifact=index)
        if protocol.rules.r1_intent_first:
            told = told.with_copy(slot, Copy(HOT, "copying", key=key, maker=worker))
        yield Step(f"store {NAMES[index]}: intend {slot}", told.with_job(worker, job))


def _store(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step[State]]:
    if job.at == "write":
        (slot,) = job.slots
        key = worker + 1 if protocol.scenario.own_keys else 1
        copy = state.copies[slot]
        written = state.with_copy(slot, copy._replace(tier=HOT, bytes=True, key=key))
        yield Step(f"store: PUT {slot}", written.with_job(worker, job._replace(at="commit")))
        if late:
            yield Step(f"store: PUT {slot} times out", state.with_job(worker, None).late(("put", slot)))
    elif job.at == "commit":
        done = _store_commit(protocol, state, job)
        yield Step(f"store: COMMIT {NAMES[job.artifact]}", done.with_job(worker, None))
        if late:
            cleaning = None if protocol.rules.r5_never_delete or not job.slots else job._replace(at="clean up")
            lost = done.with_job(worker, cleaning)
            yield Step(
                "store: COMMIT took effect, its reply is lost",
                lost._replace(budget=lost.budget._replace(late=lost.budget.late - 1)),
            )
    else:
        after, broken = delete(state, job.slots[0])
        yield Step("store: delete what it wrote", after.with_job(worker, None), broken)


def _store_commit(protocol: Protocol, state: State, job: Job) -> State:
    """Step 4 of ingest: the upload wins or is doomed; without a copy in HOT nothing is stored (it starts again)."""
    if not protocol.rules.r1_intent_first:
        for slot in job.slots:
            state = state.with_copy(slot, state.copies[slot]._replace(state="copying"))
    new = state.artifacts[job.artifact].life == "none"
    keep = tiers_of(state.copies) | (HOT if new else 0)
    after = _rescue(_land(protocol, state, job.slots, keep), keep)
    if not new or not tiers_of(after.copies) & HOT:
        return after
    key = next(copy.key for copy in after.copies if copy.state == "present" and copy.tier == HOT)
    stored = _retain(protocol, after, Artifact(due=protocol.scenario.phases[0] & protocol.scenario.guarded > 0))
    after = after._replace(blob=after.blob or key).with_artifact(job.artifact, stored)
    return surplus_due(protocol, after, job.artifact)


def surplus_due(protocol: Protocol, state: State, newer: int) -> State:
    """Make the older version due where a newer one lives again, or for the first time."""
    if newer == 0 or not protocol.surplus(state, 0) or not protocol.rules.surplus_is_due:
        return state
    older = state.artifacts[0]
    return state.with_artifact(0, older._replace(due=older.counted or older.due))


# -- collect


def _pick(protocol: Protocol, state: State, worker: int) -> Iterator[Step[State]]:
    for slot, copy in enumerate(state.copies):
        marked = state.with_copy(slot, copy._replace(state="deleting"))
        job = Job("collect", "delete", slots=(slot,))
        if copy.state == "doomed" and copy.ripe and _collectable(protocol, state, slot):
            if protocol.rules.r12_collect_lock:
                broken = _unlawful(protocol, state, slot)
                yield Step(f"collect: {slot} doomed > deleting", marked.with_job(worker, job), broken)
            else:
                yield Step(f"collect: {slot} may go", state.with_job(worker, job._replace(at="mark")))
        elif copy.state == "copying" and copy.maker == EXPIRED and protocol.rules.r3_stale_intents:
            yield Step(f"collect: {slot} stale > deleting", marked.with_job(worker, job))
        elif copy.state == "deleting" and not any(job and slot in job.slots for job in state.workers):
            yield Step(f"collect: {slot} again", state.with_job(worker, job))


def _collectable(protocol: Protocol, state: State, slot: int) -> bool:
    copy, wanted = state.copies[slot], protocol.wanted_by_any(state)
    present = tiers_of(state.copies)
    if wanted & ~present or (copy.tier & wanted and not protocol.rules.r11_redundant):
        return False
    if copy.locked and protocol.rules.retention:
        return False
    retained = any(protocol.retained(state, artifact) for artifact in state.artifacts)
    guarded = protocol.scenario.guarded if retained else 0
    last = not present or bool(copy.tier & guarded & ~present)
    return not last or not any(protocol.protected(state, artifact) for artifact in state.artifacts)


def sworn(state: State, artifact: Artifact) -> bool:
    """Whether the content is protected in truth, whatever the rules ask."""
    return artifact.life != "none" and (artifact.held or artifact.sworn or state.retains)


def _unlawful(protocol: Protocol, state: State, slot: int) -> str | None:
    """I2, asked at the decision point of a delete: protected content keeps a copy, and one in each guarded tier."""
    copy, present = state.copies[slot], tiers_of(state.copies)
    if not any(sworn(state, artifact) for artifact in state.artifacts):
        return None
    retained = any(artifact.life != "none" and (artifact.sworn or state.retains) for artifact in state.artifacts)
    if not present:
        return "I2: the last copy of protected content is deleted"
    if retained and copy.tier & protocol.scenario.guarded & ~present:
        return "I2: the last copy in a guarded tier is deleted"
    return None


def _collect(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step[State]]:
    (slot,) = job.slots
    copy = state.copies[slot]
    if job.at == "mark":  # without the lock: only the row's own state is asked
        if copy.state != "doomed":
            yield Step("collect: no longer doomed", state.with_job(worker, None))
            return
        marked = state.with_copy(slot, copy._replace(state="deleting"))
        broken = _unlawful(protocol, state, slot)
        yield Step(f"collect: {slot} doomed > deleting", marked.with_job(worker, job._replace(at="delete")), broken)
    elif job.at == "delete" and copy.locked:
        yield Step(f"collect: DELETE {slot} is refused by its lock", state.with_job(worker, None))
    elif job.at == "delete":
        after, broken = delete(state, slot)
        forgetting = job._replace(at="forget")
        yield Step(f"collect: DELETE {slot}", after.with_job(worker, forgetting), broken)
        if late:
            timed_out = state.with_job(worker, None).late(("delete", slot))
            yield Step(f"collect: DELETE {slot} times out", timed_out)
    elif job.at == "forget":
        gone = state.with_copy(slot, copy._replace(state="free", ripe=False, maker=None, locked=False))
        unused = not any(map(protocol.counted, state.artifacts)) and all(c.state == "free" for c in gone.copies)
        if unused and not protocol.rules.r13_blob_with_last:
            yield Step(f"collect: {slot} forgotten", gone.with_job(worker, job._replace(at="drop blob")))
            return
        yield Step(f"collect: {slot} forgotten", gone._replace(blob=0 if unused else gone.blob).with_job(worker, None))
    else:
        yield Step("collect: the blob row goes", state._replace(blob=0).with_job(worker, None))
