"""The world of R15 to R18: one content, copies that nobody vouches for, and somebody else's hands on the tiers.

A foreign hand puts other bytes of equal length at a location at any moment; servers lose replies, workers die. What
becomes of artifacts is left to the world of sharing: here one wish is moved through the tiers, and one store comes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from faults.protocol.checker import Step, World
from faults.protocol.state import COLD, HOT, WARM
from faults.protocol.vouching_cases import Bytes, Copy, Job, Rules, Scenario, State

Steps = Iterator[Step[State]]
_MOVING = {"copy", "look", "confirm", "commit"}
_TIERS = (HOT, WARM, COLD)


@dataclass(frozen=True, slots=True)
class Vouching(World[State]):
    """Rules in a scenario."""

    rules: Rules
    scenario: Scenario

    def begin(self) -> State:
        return self.scenario.begin()

    def broken(self, state: State) -> str | None:
        for slot, copy in enumerate(state.copies):
            if copy.state in {"present", "doomed"} and copy.vouched and not copy.right:
                return f"I3: {slot} is vouched for, and its bytes never were right"
        return None

    def done(self, state: State) -> bool:
        """All is where it is wanted and vouched for; or no right bytes, or no room in this world, are left."""
        if not any(copy.bytes == "right" and copy.readable for copy in state.copies):
            return True
        if all(copy.state != "free" for copy in state.copies):
            return True
        idle = not any(state.jobs) and not state.due and not state.storing
        settled = all(copy.state in {"free", "present"} for copy in state.copies)
        return idle and settled and not state.wanted & ~self.tiers(state)

    def counts(self, copy: Copy) -> bool:
        """R15: present, undamaged, vouched for."""
        return copy.state == "present" and not copy.damaged and (copy.vouched or not self.rules.r15_counts_for_nothing)

    def tiers(self, state: State) -> int:
        """Return the tiers with a copy that counts."""
        return sum({copy.tier for copy in state.copies if self.counts(copy)})

    def steps(self, state: State) -> Steps:
        yield from self._around(state)
        for worker, job in enumerate(state.jobs):
            if job is not None:
                if state.budget.crashes:
                    less = state.budget._replace(crashes=state.budget.crashes - 1)
                    dead = state.with_job(worker, None)._replace(budget=less)
                    yield Step(f"a worker CRASHES before {job.at}", dead, fault=True)
                yield from self._go_on(state, worker, job)
            elif worker == 0 or state.jobs[0] is not None:  # the workers are alike
                yield from self._begin(state, worker)

    def _around(self, state: State) -> Steps:
        for slot, copy in enumerate(state.copies):
            if copy.bytes == "right" and state.budget.foreign and not self.scenario.versions:
                less = state.budget._replace(foreign=state.budget.foreign - 1)
                after = state.with_copy(slot, copy._replace(bytes="wrong"))
                yield Step(f"somebody overwrites {slot}", after._replace(budget=less), fault=True)
        if state.next and not state.due:
            yield Step("the next phase begins", state._replace(wanted=state.next, next=0, due=True), fault=True)

    # -- what an idle worker may begin

    def _begin(self, state: State, worker: int) -> Steps:
        if state.due and not any(job and job.at in _MOVING and not job.storing for job in state.jobs):
            yield from self._converge(state, worker)
        if state.storing and not any(job and job.storing for job in state.jobs):
            yield from self._store(state, worker)
        for slot, copy in enumerate(state.copies):
            if copy.readable:
                reading = state.with_job(worker, Job("read", slot))
                yield Step(f"a reader, or verify, takes {slot}", reading, fault=True)
            yield from self._collect(state, worker, slot)

    def _converge(self, state: State, worker: int) -> Steps:
        lacking = next((tier for tier in _TIERS if tier & state.wanted & ~self.tiers(state)), 0)
        there = [s for s, c in enumerate(state.copies) if c.tier == lacking and c.readable]
        if not lacking or any(state.copies[slot].vouched for slot in there):
            yield self._commit(state, worker, Job("commit", -1))
        elif there:
            yield Step(f"converge: read {there[0]} first", state.with_job(worker, Job("read", there[0])))
        else:
            target = state.free_slot()
            sources = [slot for slot, copy in enumerate(state.copies) if copy.readable]
            sources.sort(key=lambda slot: (not state.copies[slot].vouched, state.copies[slot].state))
            for source in sources if target is not None else ():
                assert target is not None
                intent = state.with_copy(target, Copy(lacking, "copying"))
                yield Step(f"intend {target} from {source}", intent.with_job(worker, Job("copy", target, source)))

    def _store(self, state: State, worker: int) -> Steps:
        slot = state.free_slot()
        if any(self._joinable(copy) for copy in state.copies):
            yield Step("store: a copy is there", state.with_job(worker, Job("commit", -1, storing=True)))
        elif slot is not None:
            intent = state.with_copy(slot, Copy(HOT, "copying"))
            yield Step(f"store: intend {slot}", intent.with_job(worker, Job("put", slot, storing=True)))

    def _joinable(self, copy: Copy) -> bool:
        any_will_do = copy.state == "present" and not copy.damaged and not self.rules.r15_joined_by_none
        return copy.tier == HOT and (any_will_do or self.counts(copy))

    def _collect(self, state: State, worker: int, slot: int) -> Steps:
        copy = state.copies[slot]
        if any(job and job.slot == slot for job in state.jobs):
            return
        delete = Job("delete", slot)
        marked = state.with_copy(slot, copy._replace(state="deleting")).with_job(worker, delete)
        counted = self.tiers(state)
        if copy.state == "copying":
            yield Step(f"collect: {slot} stale > deleting", marked)
        elif copy.state == "deleting":
            yield Step(f"collect: {slot} again", state.with_job(worker, delete))
        elif copy.state == "doomed" and not state.wanted & ~counted:
            stays = any(c.right for c in state.copies if c.state == "present")
            lost = copy.bytes == "right" and not stays
            broken = "I1: right bytes go on the word of copies that never were" if lost else None
            yield Step(f"collect: {slot} doomed > deleting", marked, broken)

    # -- what a busy one does next

    def _go_on(self, state: State, worker: int, job: Job) -> Steps:
        copy = state.copies[job.slot]
        if job.at == "copy":
            yield from self._copy(state, worker, job)
        elif job.at == "put":
            done = state.with_copy(job.slot, copy._replace(bytes="right", right=True))
            yield from self._answered(done, worker, job._replace(vouched=True, pin="right"), f"PUT {job.slot}")
        elif job.at == "look":
            yield self._look(state, worker, job)
        elif job.at == "confirm":
            yield from self._confirm(state, worker, job)
        elif job.at == "commit":
            yield self._commit(state, worker, job)
        elif job.at == "read":
            yield self._read(state, worker, job)
        elif job.at == "note":
            yield self._note(state, worker, job)
        else:
            yield Step(f"DELETE {job.slot}, its row goes", state.with_copy(job.slot, Copy()).with_job(worker, None))

    def _copy(self, state: State, worker: int, job: Job) -> Steps:
        """By the server: it copies what is at the source then, or refuses where the pin is another and it heeds it."""
        source, rules = state.copies[job.source], self.rules
        heeds = self.scenario.if_match
        named = source.pin != "none" and rules.r16_named and (heeds or not rules.r16_probed)
        if source.state not in {"present", "doomed"}:
            yield Step(f"copy {job.source} to {job.slot}: the source is gone", state.with_job(worker, None))
        elif named and heeds and source.pin != source.bytes:
            reading = state.with_job(worker, Job("read", job.source))
            yield Step(f"copy {job.source} to {job.slot}: 412, the source is another", reading)
        else:
            was_right = source.bytes == "right"
            target = state.copies[job.slot]._replace(bytes=source.bytes, right=was_right)
            pinned = source.pin != "none" and (named or not rules.r16_named)
            vouched = pinned and (source.vouched or not rules.r17_vouched_source)
            told = job._replace(vouched=vouched, pin=source.bytes)
            yield from self._answered(state.with_copy(job.slot, target), worker, told, f"copy to {job.slot}")

    def _answered(self, state: State, worker: int, job: Job, what: str) -> Steps:
        then = job._replace(at="commit" if job.vouched else "confirm")
        yield Step(f"{what} is answered", state.with_job(worker, then))
        if state.budget.lost:
            less = state.budget._replace(lost=state.budget.lost - 1)
            lost = state.with_job(worker, job._replace(at="look"))._replace(budget=less)
            yield Step(f"{what}: the reply is lost", lost, fault=True)

    def _look(self, state: State, worker: int, job: Job) -> Step[State]:
        """HEAD after a lost reply: something of that size is there; what, it does not say (R16)."""
        if self.rules.r16_no_answer_no_pin:
            told = job._replace(at="confirm", vouched=False, pin="none")
        else:
            told = job._replace(at="commit", pin=state.copies[job.slot].bytes)
        return Step(f"HEAD {job.slot}: it is there", state.with_job(worker, told))

    def _confirm(self, state: State, worker: int, job: Job) -> Steps:
        """R17: read it back under its intent; where it can't be read now, it is committed as what it is."""
        found = state.copies[job.slot].bytes
        if found == "right" or not self.rules.r17_read_back:
            read = job._replace(at="commit", vouched=True, pin=found)
            yield Step(f"{job.slot} is read back", state.with_job(worker, read))
        else:
            suspect = None if job.storing else Job("read", job.source)
            yield Step(f"{job.slot} is read back: wrong", state.with_job(worker, suspect))
        yield Step(f"{job.slot} can't be read now", state.with_job(worker, job._replace(at="commit")), fault=True)

    def _read(self, state: State, worker: int, job: Job) -> Step[State]:
        copy = state.copies[job.slot]
        if copy.bytes == "none" or not copy.readable:
            return Step(f"read {job.slot}: gone", state.with_job(worker, None))
        refused = self.scenario.if_match and copy.pin not in {"none", copy.bytes}
        good = copy.bytes == "right" and not refused
        note = Job("note", job.slot, vouched=good, pin=copy.bytes)
        return Step(f"read {job.slot} whole: {'right' if good else 'wrong'}", state.with_job(worker, note))

    def _note(self, state: State, worker: int, job: Job) -> Step[State]:
        """R18: under the lock, and only of a row that still is what was read."""
        copy, idle = state.copies[job.slot], state.with_job(worker, None)
        gone = copy.state not in {"present", "doomed"}
        if gone or (copy.damaged and self.rules.r18_conditional):
            return Step(f"note {job.slot}: its row has changed", idle)
        if not job.vouched:
            wrong = idle.with_copy(job.slot, copy._replace(damaged=True))
            return Step(f"{job.slot} is damaged", wrong._replace(due=True))
        broken = "I3: what a read refuted counts on the word of an earlier one" if copy.damaged else None
        pin: Bytes = job.pin if self.rules.r18_pin_of_the_read else copy.bytes
        vouched = idle.with_copy(job.slot, copy._replace(vouched=True, pin=pin, damaged=False))
        return Step(f"{job.slot} is vouched for", vouched, broken)

    # -- the commit

    def _commit(self, state: State, worker: int, job: Job) -> Step[State]:
        """Land the upload, rescue, doom what is too much where all is there; a store is answered here."""
        wanted = state.wanted | (HOT if job.storing else 0)
        after = state.with_job(worker, None)
        if job.slot >= 0 and after.copies[job.slot].state == "copying":
            after = self._land(after, job, wanted)
        after = self._rescue(after, wanted)
        if job.storing:
            return self._acknowledged(after, wanted)
        lacking = wanted & ~self.tiers(after)
        if not lacking:
            for slot, copy in enumerate(after.copies):
                if copy.state == "present" and not copy.tier & wanted:
                    after = after.with_copy(slot, copy._replace(state="doomed"))
        there = sum({copy.tier for copy in after.copies if copy.state == "present"})
        due = lacking if self.rules.r15_due else wanted & ~there
        return Step(f"COMMIT{', not complete' if lacking else ''}", after._replace(due=bool(due)))

    def _land(self, state: State, job: Job, wanted: int) -> State:
        """An upload becomes present in place of what does not count there, or doomed."""
        copy = state.copies[job.slot]
        wins = bool(copy.tier & wanted & ~self.tiers(state))
        state = self._replaced(state, copy.tier) if wins else state
        landed = copy._replace(state="present" if wins else "doomed", vouched=job.vouched, pin=job.pin)
        return state.with_copy(job.slot, landed)

    def _rescue(self, state: State, wanted: int) -> State:
        for slot, copy in enumerate(state.copies):
            vouched = copy.state == "doomed" and copy.vouched and not copy.damaged
            if vouched and copy.tier & wanted & ~self.tiers(state):
                state = self._replaced(state, copy.tier).with_copy(slot, copy._replace(state="present"))
        return state

    def _replaced(self, state: State, tier: int) -> State:
        for slot, copy in enumerate(state.copies):
            if copy.state == "present" and copy.tier == tier:
                state = state.with_copy(slot, copy._replace(state="doomed"))
        return state

    def _acknowledged(self, state: State, wanted: int) -> Step[State]:
        hot = [copy for copy in state.copies if copy.state == "present" and copy.tier == HOT]
        if not any(self._joinable(copy) for copy in hot):
            return Step("store: nothing there counts; again", state._replace(due=True))
        broken = None if any(c.right for c in hot) else "I1: a store is answered on a copy that never was right"
        return Step("store is ANSWERED", state._replace(wanted=wanted, storing=False, due=True), broken)
