"""The health of the installation, for operators, probes and watchdogs: it measures progress, not processes."""

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """``attention``: an operator has to decide something while the work continues; ``bad``: the work does not."""

    OK = "ok"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Vital:
    """One measurement: its value in ``unit`` (None: no value), and in ``detail`` what is wrong, if anything."""

    name: str
    condition: Condition
    value: float | None
    unit: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All vitals of one check."""

    vitals: tuple[Vital, ...]

    @property
    def healthy(self) -> bool:
        """True if no vital is bad."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """The bad vitals in words, as ``name: detail``."""
        return tuple(f"{v.name}: {v.detail}" for v in self.vitals if v.condition is Condition.BAD)

    def __getitem__(self, name: str) -> Vital:
        """Return the vital of that name; StopIteration if there is none."""
        return next(vital for vital in self.vitals if vital.name == name)
