"""The world of R19 to R22: a tier whose name leads elsewhere for a while, or for good, and back.

A mount is gone, a bucket mistyped, a second host begins with the same tiers: at any moment, also between two calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from faults.protocol.checker import Step, World
from faults.protocol.marking_cases import ELSEWHERE, OURS, Job, Mark, Place, Rules, Scenario, State

Steps = Iterator[Step[State]]
_CATALOGS: tuple[Mark, Mark] = ("ours", "theirs")


@dataclass(frozen=True, slots=True)
class Marking(World[State]):
    """Rules in a scenario."""

    rules: Rules
    scenario: Scenario

    def begin(self) -> State:
        return self.scenario.begin()

    def broken(self, state: State) -> str | None:
        return "I3: two catalogs count on one place" if state.inits == ("in", "in") else None

    def done(self, state: State) -> bool:
        """The copy is where it is wanted, and its bytes nowhere else; a tier that is away waits for somebody."""
        if state.places[state.leads].mark != "ours" or state.leads == ELSEWHERE or state.inits[0] != "in":
            return True
        orphan = state.places[OURS].bytes and state.row == "none"
        settled = state.row == "present" and state.other == "none" if state.wanted else state.row == "none"
        return state.job is None and not orphan and (settled or state.row == "missing")

    @property
    def _bound(self) -> bool:
        return self.scenario.bound and self.rules.r19_one_root

    def steps(self, state: State) -> Steps:
        yield from self._around(state)
        for catalog in range(2):
            yield from self._init(state, catalog)
        if state.inits[0] != "in":
            return
        if state.job is None:
            yield from self._begin(state)
            return
        if state.crashes:
            dead = state._replace(job=None, crashes=state.crashes - 1)
            yield Step(f"{state.job.kind} CRASHES before {state.job.at}", dead, fault=True)
        yield from self._go_on(state, state.job)

    def _around(self, state: State) -> Steps:
        if state.flips:
            flipped = state._replace(leads=1 - state.leads, flips=state.flips - 1)
            yield Step("the name leads elsewhere" if flipped.leads else "the name leads to ours", flipped, fault=True)
        yield from self._operator(state)
        if self.scenario.purged and state.wanted and state.row == "present" and state.job is None:
            yield Step("a user purges it", state._replace(wanted=False, row="deleting"), fault=True)

    def _operator(self, state: State) -> Steps:
        """Marks a place that has none, or another's: where the name leads now, wherever that is."""
        here = state.places[state.leads]
        seen = here.bytes and state.row == "present"
        copies = seen or state.row == "none" or not self.rules.r22_copies_seen
        first = seen or not state.noted or not self.rules.r22_noted
        marked = state.with_place(state.leads, here._replace(mark="ours"))._replace(noted=True)
        if "init" in self.scenario.operator and here.mark == "none" and copies and first:
            yield Step("an operator: init, the place is marked", marked, fault=True)
        if "adopt" in self.scenario.operator and here.mark != "ours" and (seen or not self.rules.r22_adopt_sees):
            yield Step("an operator: init --adopt, the place is marked", marked, fault=True)

    # -- two catalogs

    def _init(self, state: State, catalog: int) -> Steps:
        """Look, write, read back; a worker of a catalog begins when its init is through."""
        at, own = state.inits[catalog], _CATALOGS[catalog]

        def to(then: str) -> State:
            first, second = state.inits
            return state._replace(inits=(then, second) if catalog == 0 else (first, then))

        here = state.places[OURS]
        written = here._replace(mark=own) if here.mark == "none" or not self.rules.r22_if_none_match else here
        if at == "out" and self.scenario.inits == ("out", "out"):
            yield Step(f"init of {own}: the mark is {here.mark}", to("free" if here.mark == "none" else "refused"))
        elif at == "free":
            answer = "written" if written.mark == own else "refused"
            yield Step(f"init of {own}: {answer}", to(answer).with_place(OURS, written))
            if self.scenario.lost:
                yield Step(f"init of {own}: the reply is lost", to("written").with_place(OURS, written), fault=True)
        elif at == "written":
            believed = here.mark == own or not self.rules.r22_read_back
            yield Step(f"init of {own} reads back", to("in" if believed else "refused"))

    # -- what an idle worker may begin

    def _begin(self, state: State) -> Steps:
        if state.wanted and state.row == "none":
            yield Step("intend", state._replace(row="copying", job=Job("put")))
        elif state.row == "copying":
            yield Step("collect: the stale intent", state._replace(row="deleting", job=Job("delete")))
        elif state.row == "deleting":
            yield Step("collect: what is deleting", state._replace(job=Job("delete")))
        elif state.row == "present":
            yield Step("a reader, or reconcile, looks for it", state._replace(job=Job("look")), fault=True)
            yield from self._moved(state)
        elif state.other != "none":
            nothing = state.with_place(OURS, state.places[OURS]._replace(bytes=False))
            yield Step("converge: anew", nothing._replace(row="none", other="present", suspect=False))
        if state.row == "none" and state.leads == OURS and state.places[OURS].bytes:
            gone = state.with_place(OURS, state.places[OURS]._replace(bytes=False))
            yield Step("reconcile: bytes that no row knows are deleted, and told", gone)

    def _moved(self, state: State) -> Steps:
        if state.other == "present":
            yield Step("COMMIT: the other copy is doomed", state._replace(other="doomed"))
        elif state.other == "doomed" and self.rules.r21_survivor:
            yield Step("collect: looks at what stays", state._replace(job=Job("survivor")))
        elif state.other == "doomed":
            yield self._other_goes(state)

    # -- what a busy one does next

    def _go_on(self, state: State, job: Job) -> Steps:
        before = job.at == "mark before"
        root = job.root if self._bound and not before else state.leads  # what was opened stays what it is
        if job.at == "call":
            yield self._call(state, job, root)
        elif state.places[root].mark == "ours" or not self._asked(job):
            yield self._call_next(state, job, root) if before else self._concluded(state, job)
        else:
            yield Step(f"{job.kind}: the tier can't be used", state._replace(job=None))

    def _asked(self, job: Job) -> bool:
        return self.rules.r19_mark_before if job.at == "mark before" else self.rules.r19_mark_after

    def _call_next(self, state: State, job: Job, root: int) -> Step[State]:
        return Step(f"{job.kind}: begins", state._replace(job=job._replace(at="call", root=root)))

    def _call(self, state: State, job: Job, reached: int) -> Step[State]:
        place = state.places[reached]
        then = state._replace(job=job._replace(at="mark after"))
        where = "" if reached == OURS else ", elsewhere"
        if job.kind in {"put", "delete"}:
            after = then.with_place(reached, Place(place.mark, job.kind == "put"))
            return Step(f"{job.kind} is answered{where}", after)
        if job.kind == "look" and place.bytes:
            return Step(f"look: it is there{where}", state._replace(job=None, suspect=False))
        if job.kind == "survivor" and not place.bytes:
            return Step(f"survivor: it is not there{where}", state._replace(job=Job("look")))
        return Step(f"{job.kind}: it is {'' if place.bytes else 'not '}there{where}", then)

    def _concluded(self, state: State, job: Job) -> Step[State]:
        """What follows from what the store said; from here on it is the catalog's word."""
        idle, ours = state._replace(job=None), state.places[OURS].bytes
        if job.kind == "put":
            return Step("put: COMMIT", idle._replace(row="present"))
        if job.kind == "survivor":
            return self._other_goes(idle)
        if job.kind == "delete":
            broken = "I6: a receipt for bytes that still lie in our place" if ours and self.scenario.receipts else None
            return Step("delete: the row goes, with its receipt", idle._replace(row="none"), broken)
        if not state.suspect and self.rules.r20_two_looks and not self._bound:
            return Step("look: a suspect", idle._replace(suspect=True))
        broken = "I3: a copy that lies in our place is called missing" if ours else None
        return Step("look: missing", idle._replace(row="missing", suspect=False), broken)

    def _other_goes(self, state: State) -> Step[State]:
        broken = None if state.places[OURS].bytes else "I1: the other copy goes, and none lies in our place"
        return Step("collect: the other copy goes", state._replace(other="none"), broken)
