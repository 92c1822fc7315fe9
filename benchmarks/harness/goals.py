"""Goals and what was found of each, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WORDS: Final = {True: "yes", False: "NO", None: "-"}


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal, what was found, and whether it is met; None: it was not judged."""

    goal: str
    found: str
    met: bool | None


def table(goals: Sequence[Goal]) -> str:
    """Return the goals as a table in Markdown."""
    rows = (f"| {each.goal} | {each.found} | {_WORDS[each.met]} |" for each in goals)
    return "\n".join(["| goal | found | met |", "|---|---|---|", *rows, ""])
