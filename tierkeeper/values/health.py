"""What an operator, a probe or a watchdog is told of the health of the whole: progress, not processes."""

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """``attention``: somebody has to decide something, and the work goes on; ``bad``: it does not."""

    OK = "ok"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Vital:
    """One thing that was looked at: its value in ``unit`` (None: there is none), and in words what is wrong."""

    name: str
    condition: Condition
    value: float | None
    unit: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All of them."""

    vitals: tuple[Vital, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is bad."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is bad, in words."""
        return tuple(f"{v.name}: {v.detail}" for v in self.vitals if v.condition is Condition.BAD)

    def __getitem__(self, name: str) -> Vital:
        """Return one by its name."""
        return next(vital for vital in self.vitals if vital.name == name)
