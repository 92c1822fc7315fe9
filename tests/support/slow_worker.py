"""A worker that takes the steps of converge one by one, so that others may act between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from support.house import House
from tierkeeper.base.callers import Caller
from tierkeeper.base.ids import new_id
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge
from tierkeeper.engine.converge.commit import Result
from tierkeeper.engine.copies.transfer import Intent, Transferred


@dataclass(slots=True)
class Slow:
    """A worker that does one step when it is told to."""

    house: House
    worker: Worker = field(default_factory=lambda: Worker(token=new_id(), caller=Caller("slow")))
    ids: list[UUID] = field(default_factory=list)
    intents: Sequence[Intent] = ()
    foreign: set[UUID] = field(default_factory=set)
    done: Sequence[Transferred] = ()

    def claim(self) -> "Slow":
        """Step 1."""
        claimed = converge.step_1_claim(self.house.keeper.engine, self.worker, ids=None)
        self.ids = [c.artifact for c in claimed]
        return self

    def decide(self) -> converge.Decided:
        """Step 2."""
        return converge.step_2_decide(self.house.keeper.engine, self.ids)

    def intend(self, plan: converge.Decided | None = None) -> "Slow":
        """Steps 2 and 3; 3 alone with a plan that was made before."""
        engine = self.house.keeper.engine
        self.intents, self.foreign = converge.step_3_intend(engine, self.worker, plan or self.decide())
        return self

    def copy(self) -> "Slow":
        """Step 4."""
        self.done = converge.step_4_copy(self.house.keeper.engine, self.worker, self.ids, self.intents)
        return self

    def commit(self) -> dict[UUID, Result]:
        """Step 5."""
        results, _ = converge.step_5_commit(self.house.keeper.engine, self.worker, self.ids, self.done, self.foreign)
        return results
