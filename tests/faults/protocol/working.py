"""What workers do, one transaction or one call of a store at a time: converge, store, collect, reconcile."""

from collections.abc import Iterator

from faults.protocol.rules import Protocol
from faults.protocol.state import EXPIRED, HOT, WARM, Artifact, Copy, Job, State, Step, tiers_of

NAMES = "AB"


def begin(protocol: Protocol, state: State, worker: int, *, jobs: frozenset[str]) -> Iterator[Step]:
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
        yield from _survey(protocol, state, worker)


def go_on(protocol: Protocol, state: State, worker: int, job: Job, *, faults: bool) -> Iterator[Step]:
    """The next step of a busy worker."""
    late = faults and state.budget.late > 0
    if job.kind == "converge":
        yield from _converge(protocol, state, worker, job, late=late)
    elif job.kind == "store":
        yield from _store(protocol, state, worker, job, late=late)
    elif job.kind == "collect":
        yield from _collect(protocol, state, worker, job, late=late)
    else:
        yield from _reconcile(state, worker, job)


def delete(state: State, slot: int) -> tuple[State, str | None]:
    """Delete the bytes at a location; what must not be deleted breaks an invariant."""
    copy = state.copies[slot]
    lost = copy.bytes and copy.state in {"present", "doomed"}
    broken = f"I2: the bytes of a {copy.state} copy were deleted" if lost else None
    return state.with_copy(slot, copy._replace(bytes=False)), broken


# -- converge


def _converge(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step]:
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
    elif protocol.rules.r12_commit_lock or job.read is not None:
        yield _commit(protocol, state, worker, job)
    else:
        read = (protocol.wanted_by_others(state, job.artifact), tiers_of(state.copies))
        yield Step("commit: read without a lock", state.with_job(worker, job._replace(read=read)))


def _intend(protocol: Protocol, state: State, worker: int, job: Job) -> Step:
    """Steps 2 and 3: decide, and commit intents for what is missing and can't be rescued."""
    artifact = state.artifacts[job.artifact]
    wanted = protocol.wanted(artifact)
    union = wanted | protocol.wanted_by_others(state, job.artifact)
    lacking = union & ~tiers_of(state.copies) & ~tiers_of(state.copies, "doomed")
    source = next((s for s, copy in enumerate(state.copies) if copy.state == "present"), None)
    if source is None:
        source = next((s for s, copy in enumerate(state.copies) if copy.state == "doomed"), None)
    todo: list[tuple[int, int]] = []
    after = state
    for tier in (HOT, WARM):
        busy = any(c.state == "copying" and c.tier == tier and c.maker != EXPIRED for c in state.copies)
        slot = after.free_slot(tuple(target for _, target in todo))
        if not lacking & tier or busy or source is None or slot is None:
            continue
        after = after.with_copy(slot, Copy(tier, "copying", key=after.copies[source].key, maker=worker))
        todo.append((source, slot))
    targets = tuple(target for _, target in todo)
    then = job._replace(at="copy" if todo else "commit", todo=tuple(todo), wanted=wanted, slots=targets)
    return Step(f"intend for {NAMES[job.artifact]}: {targets}", after.with_job(worker, then))


def _commit(protocol: Protocol, state: State, worker: int, job: Job) -> Step:
    """Step 5. The lease is not asked: the intents' own rows are the fence."""
    rules, index = protocol.rules, job.artifact
    artifact = state.artifacts[index]
    wanted = protocol.wanted(artifact) if rules.r9_decide_again else job.wanted
    expires = protocol.expires(artifact)
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
    changed = _advance(artifact, wanted, complete=complete, expires=expires)
    if artifact.lease in {worker, None}:
        changed = changed._replace(lease=None, due=not complete)
    what = f"COMMIT {NAMES[index]}: wants {wanted}, all want {union}{'' if complete else ', not complete'}"
    return Step(f"{what}, {changed.life}", after.with_artifact(index, changed).with_job(worker, None))


def _advance(artifact: Artifact, wanted: int, *, complete: bool, expires: bool) -> Artifact:
    if expires:
        return artifact._replace(life="deleted", purge_due=False)
    if artifact.life == "deleted" and artifact.purge_due and not artifact.held:
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


def _deliver(protocol: Protocol, state: State, worker: int) -> Iterator[Step]:
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


def _store(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step]:
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
    return after._replace(blob=after.blob or key).with_artifact(job.artifact, Artifact())


# -- collect


def _pick(protocol: Protocol, state: State, worker: int) -> Iterator[Step]:
    for slot, copy in enumerate(state.copies):
        marked = state.with_copy(slot, copy._replace(state="deleting"))
        job = Job("collect", "delete", slots=(slot,))
        if copy.state == "doomed" and copy.ripe and _collectable(protocol, state, slot):
            if protocol.rules.r12_collect_lock:
                yield Step(f"collect: {slot} doomed > deleting", marked.with_job(worker, job))
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
    return bool(present) or not any(artifact.held for artifact in state.artifacts)


def _collect(protocol: Protocol, state: State, worker: int, job: Job, *, late: bool) -> Iterator[Step]:
    (slot,) = job.slots
    copy = state.copies[slot]
    if job.at == "mark":  # without the lock: only the row's own state is asked
        if copy.state != "doomed":
            yield Step("collect: no longer doomed", state.with_job(worker, None))
            return
        marked = state.with_copy(slot, copy._replace(state="deleting"))
        held = any(artifact.held for artifact in state.artifacts) and not tiers_of(state.copies)
        broken = "I2: the last copy of held content is deleted" if held else None
        yield Step(f"collect: {slot} doomed > deleting", marked.with_job(worker, job._replace(at="delete")), broken)
    elif job.at == "delete":
        after, broken = delete(state, slot)
        forgetting = job._replace(at="forget")
        yield Step(f"collect: DELETE {slot}", after.with_job(worker, forgetting), broken)
        if late:
            timed_out = state.with_job(worker, None).late(("delete", slot))
            yield Step(f"collect: DELETE {slot} times out", timed_out)
    elif job.at == "forget":
        gone = state.with_copy(slot, copy._replace(state="free", ripe=False, maker=None))
        unused = not any(map(protocol.counted, state.artifacts)) and all(c.state == "free" for c in gone.copies)
        if unused and not protocol.rules.r13_blob_with_last:
            yield Step(f"collect: {slot} forgotten", gone.with_job(worker, job._replace(at="drop blob")))
            return
        yield Step(f"collect: {slot} forgotten", gone._replace(blob=0 if unused else gone.blob).with_job(worker, None))
    else:
        yield Step("collect: the blob row goes", state._replace(blob=0).with_job(worker, None))


# -- reconcile


def _survey(protocol: Protocol, state: State, worker: int) -> Iterator[Step]:
    if protocol.rules.r4_list_first:
        listed = tuple(slot for slot, copy in enumerate(state.copies) if copy.bytes)
        if listed:
            yield Step(
                f"reconcile: the store has {listed}", state.with_job(worker, Job("reconcile", "look up", listed))
            )
    else:
        rows = tuple(slot for slot, copy in enumerate(state.copies) if copy.state != "free")
        yield Step(f"reconcile: the catalog has {rows}", state.with_job(worker, Job("reconcile", "list", rows)))


def _reconcile(state: State, worker: int, job: Job) -> Iterator[Step]:
    if job.at in {"look up", "list"}:
        if job.at == "look up":
            orphans = tuple(slot for slot in job.slots if state.copies[slot].state == "free")
        else:
            orphans = tuple(slot for slot, copy in enumerate(state.copies) if copy.bytes and slot not in job.slots)
        then = Job("reconcile", "delete", orphans) if orphans else None
        yield Step(f"reconcile: orphans are {orphans}", state.with_job(worker, then))
        return
    slot, rest = job.slots[0], job.slots[1:]
    after, broken = delete(state, slot)
    yield Step(f"reconcile: DELETE {slot}", after.with_job(worker, job._replace(slots=rest) if rest else None), broken)
