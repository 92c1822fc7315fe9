"""The mutation check is kept in step with the code: every text that it replaces stands there exactly once."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutations.mutant import Mutant, rotten
from mutations.table import MUTANTS

ROOT = Path(__file__).parents[2]
GUARDS = {"checksum", "location", "hold", "retention", "deletes_enabled", "attempts", "lost", "outcome"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name.replace(" ", "-"))
def test_a_mutation_breaks_what_it_says(mutant: Mutant) -> None:
    """The texts are there once, what replaces them is something else, and the tests exist."""
    assert list(rotten(mutant, ROOT)) == []
    assert all(edit.old != edit.new for edit in mutant.edits)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        name = name.partition("[")[0]  # a class has its tests from the contract
        kind, name = ("class", name.partition("::")[0]) if "::" in name else ("def", name)
        assert f"{kind} {name}" in (ROOT / file).read_text()


def test_what_is_broken_is_code(tmp_path: Path) -> None:
    """A mutant that no test can even import dies whatever its tests show: each is valid, with every name defined."""
    written = {}
    for number, mutant in enumerate(MUTANTS):
        texts: dict[str, str] = {}
        for edit in mutant.edits:
            texts[edit.file] = texts.get(edit.file, (ROOT / edit.file).read_text()).replace(edit.old, edit.new)
        for file, text in texts.items():
            path = tmp_path / f"{number}_{file.replace('/', '_')}"
            path.write_text(text)
            written[path.name] = mutant.name
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "-q",
            "--isolated",
            "--select=F821",
            "--output-format=concise",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(written) > 250
    assert not {written[Path(line.split(":")[0]).name]: line for line in checked.stdout.splitlines()}, checked.stderr


def test_every_rule_is_broken() -> None:
    """Each rule of the architecture's table has a mutation, and no other has; so have the guards around them.

    No two mutations have one name.
    """
    broken = {mutant.rule for mutant in MUTANTS}
    table = re.findall(r"^\| (R\d+) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert {rule for rule in broken if re.fullmatch(r"R\d+", rule)} == set(table)
    assert broken >= GUARDS
    assert [name for name, times in Counter(m.name for m in MUTANTS).items() if times > 1] == []
