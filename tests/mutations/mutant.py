"""What a mutation is: a rule broken in the real code, by exact replacements, and the tests that must notice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """One exact text of one file, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule broken. ``tests``: the few that are to fail, the likeliest first; none of others is run."""

    rule: str
    broken: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Rule and what is broken, as the table shows it."""
        return f"{self.rule}: {self.broken}"


def one_edit(rule: str, broken: str, edit: Edit, *tests: str) -> Mutant:
    """Return the mutant of a single edit; ``partial(one_edit, rule)`` makes those of a rule."""
    return Mutant(rule, broken, (edit,), tests)


def rotten(mutant: Mutant, tree: Path) -> Iterator[str]:
    """Say which texts do not stand in ``tree`` exactly once: such a mutation breaks nothing, or the wrong thing."""
    for edit in mutant.edits:
        path = tree / edit.file
        times = path.read_text().count(edit.old) if path.is_file() else 0
        if times != 1:
            yield f"{mutant.name}: {edit.file} has the text {times} times: {edit.old.strip().splitlines()[0]}"


def apply(mutant: Mutant, tree: Path) -> dict[Path, str]:
    """Break the rule in ``tree``; return the files as they were."""
    before: dict[Path, str] = {}
    for edit in mutant.edits:
        path = tree / edit.file
        text = path.read_text()
        before.setdefault(path, text)
        path.write_text(text.replace(edit.old, edit.new))
    return before
