"""Goes through every state that can be reached, shortest way first, and asks of each what must not be."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One transition: what happens, what is then, and the invariant that it breaks by itself."""

    what: str
    state: S
    broken: str | None = None
    by: int | None = None  # the worker that takes it; None: the world
    fault: bool = False  # nobody may count on it


class World(ABC, Generic[S]):
    """What is checked: where it begins, what may happen, and what must not be."""

    @abstractmethod
    def begin(self) -> S:
        """Return the first state."""

    @abstractmethod
    def steps(self, state: S) -> Iterator[Step[S]]:
        """Everything that may happen next."""

    @abstractmethod
    def broken(self, state: S) -> str | None:
        """Return the invariant that a state breaks."""

    def unsettled(self, state: S) -> str | None:  # noqa: ARG002  for worlds that settle by themselves
        """Return what would stay undone if everything due were done from here, fairly, with no more faults."""
        return None

    def done(self, state: S) -> bool:  # noqa: ARG002  as above
        """Whether everything due is done: such a state can be reached from every other, without a fault."""
        return True


@dataclass(frozen=True, slots=True)
class Found:
    """What a check came to: how many states, and the shortest way to a broken invariant, if there is one."""

    states: int
    broken: str | None = None
    way: tuple[str, ...] = ()
    whole: bool = True  # every state was visited


def check(world: World[S], *, most: int) -> Found:
    """Visit up to ``most`` states; stop at the first broken invariant."""
    first = world.begin()
    came: dict[S, tuple[S, str] | None] = {first: None}
    undone: dict[S, list[S]] = {}  # what is not done yet, by what can be reached from it
    queue = deque([first])
    while queue:
        state = queue.popleft()
        broken = world.unsettled(state)
        if broken is not None:
            return _found(came, state, broken, "everything settles")
        done = world.done(state)
        for step in world.steps(state):
            broken = step.broken or (None if step.state in came else world.broken(step.state))
            if broken is not None:
                return _found(came, state, broken, step.what)
            if step.state not in came:
                came[step.state] = (state, step.what)
                queue.append(step.state)
            if not done and not step.fault:
                undone.setdefault(step.state, []).append(state)
        if len(came) > most:
            return Found(len(came), whole=False)
    return _stuck(world, came, undone) or Found(len(came))


def _stuck(world: World[S], came: dict[S, tuple[S, str] | None], undone: dict[S, list[S]]) -> Found | None:
    """I4: from every state one is reached in which everything is done, though nothing more goes wrong."""
    ends = {state for state in came if world.done(state)}
    todo = list(ends)
    while todo:
        for state in undone.get(todo.pop(), ()):
            if state not in ends:
                ends.add(state)
                todo.append(state)
    stuck = next((state for state in came if state not in ends), None)
    return None if stuck is None else _found(came, stuck, "I4: what is due is never done", "no more faults")


def _found(came: dict[S, tuple[S, str] | None], state: S, broken: str, last: str) -> Found:
    way = [last]
    while (link := came[state]) is not None:
        state, what = link
        way.insert(0, what)
    return Found(len(came), broken, tuple(way))
