"""Patterns: one meaning in policies, which are compared here, and in filters, which PostgreSQL compares."""

import pytest
from support.house import House
from support.scale import chance

from tierkeeper.base.errors import InvalidInput
from tierkeeper.catalog import browse
from tierkeeper.policy import patterns
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.parking import StuckFilter

#: what means something in a pattern, in a regular expression, in a set of one, or in no language at all
SPECIAL = "ab*?[]!-^$.+(){}|\\/&~#'_ äß²𝒳"


def test_a_pattern_fits_the_same_in_a_policy_and_in_a_filter(house: House) -> None:
    """Whatever characters pattern and text have, PostgreSQL and a policy agree."""
    random = chance("patterns")

    def texts(number: int, longest: int) -> list[str]:
        return ["".join(random.choices(SPECIAL, k=random.randint(1, longest))) for _ in range(number)]

    sets = [
        f"{a}[{negated}{b}]{c}"
        for a, b, c in zip(*(texts(300, 2) for _ in range(3)), strict=True)
        for negated in ("", "!")
    ]
    globs = [
        glob for glob in [*texts(300, 4), *sets, *map(patterns.escaped, texts(100, 3))] if not patterns.problem(glob)
    ]
    names = [*SPECIAL, *texts(300, 4)]
    assert len(globs) > 300
    rows = house.sql(
        "SELECT g.n AS glob, t.n AS name FROM unnest(CAST(:regexes AS text[])) WITH ORDINALITY AS g(regex, n)"
        " JOIN unnest(CAST(:names AS text[])) WITH ORDINALITY AS t(name, n) ON t.name ~ g.regex",
        regexes=[browse.glob_regex(glob) for glob in globs],
        names=names,
    )
    found = {(globs[row.glob - 1], names[row.name - 1]) for row in rows}
    expected = {(glob, name) for glob in globs for name in names if patterns.matches(glob, name)}
    assert found == expected
    assert len(expected) > 100


def test_a_set_selects_what_it_has(house: House) -> None:
    """`[12]` in a filter is one of these, as in a policy, and `[[]` a bracket."""
    for name in ("r1", "r2", "r3", "r[12]"):
        house.store(name)

    def found(pattern: str) -> list[str]:
        return [view.ref.name for view in house.keeper.artifacts.select(Filter(name=pattern))]

    assert found("r[12]") == ["r1", "r2"]
    assert found("r[!12]") == ["r3"]
    assert found("r[2-3]") == ["r2", "r3"]
    assert found("r[[]*") == ["r[12]"]
    assert house.keeper.artifacts.count(Filter(name="r[12]")) == 2


@pytest.mark.parametrize("pattern", ["", "a[b", "[z-a]"])
def test_a_pattern_without_a_meaning_is_refused(house: House, pattern: str) -> None:
    """What no policy could have for a pattern selects nothing in silence, and never everything."""
    with pytest.raises(InvalidInput, match="pattern"):
        list(house.keeper.artifacts.select(Filter(name=pattern)))
    with pytest.raises(InvalidInput, match="pattern"):
        list(house.keeper.parked.select(StuckFilter(workflow=pattern)))
