"""The mutation check is kept in step with the code: every text that it replaces stands there exactly once."""

from collections import Counter
from pathlib import Path

import pytest
from mutations.mutant import Mutant, rotten
from mutations.table import MUTANTS

ROOT = Path(__file__).parents[2]
RULES = {f"R{number}" for number in (*range(1, 19), 20, 21)}
GUARDS = {"checksum", "location", "hold", "retention", "deletes_enabled", "attempts", "lost"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name.replace(" ", "-"))
def test_a_mutation_breaks_what_it_says(mutant: Mutant) -> None:
    """The texts are there once, what replaces them is something else, and the tests exist."""
    assert list(rotten(mutant, ROOT)) == []
    assert all(edit.old != edit.new for edit in mutant.edits)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text()


def test_every_rule_is_broken() -> None:
    """Each of R1 to R18, R20 and R21 has a mutation, and so have the guards around them; no two have one name."""
    assert {mutant.rule for mutant in MUTANTS} >= RULES | GUARDS
    assert [name for name, times in Counter(m.name for m in MUTANTS).items() if times > 1] == []
