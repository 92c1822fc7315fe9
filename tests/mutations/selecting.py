"""What a filter selects: each guard broken."""

from mutations.mutant import Edit, Mutant

_PATTERNS = "tierkeeper/policy/patterns.py"
_MEANING = "tests/unit/policy/test_match.py::test_the_regular_expression_means_the_same"
_FILTERS = "tests/integration/catalog/test_patterns.py::"

_COMMON = "tests/unit/policy/test_match.py::test_common_is_right"

SELECTING = (
    Mutant(
        "patterns",
        "a star takes one character at least",
        (Edit(_PATTERNS, "        reached |= (reached & stars) << 1\n", ""),),
        (_COMMON,),
    ),
    Mutant(
        "patterns",
        "what a star of the other takes is forgotten",
        (Edit(_PATTERNS, "reached = reached & stars | (reached", "reached = (reached"),),
        (_COMMON,),
    ),
    Mutant(
        "patterns",
        "a pair of elements is compared again for each place",
        (
            Edit(_PATTERNS, "        if token not in accepted:\n", "        if accepted is not None:\n"),
            Edit(_PATTERNS, "@lru_cache(maxsize=65_536)\n", ""),
        ),
        ("tests/unit/policy/test_match.py::test_comparing_patterns_costs_little_whatever_their_stars",),
    ),
    Mutant(
        "patterns",
        "what is none of a set is one of it in a filter",
        (Edit(_PATTERNS, """{'^' if self.negated else ''}{''.join(members)}""", """{''.join(members)}"""),),
        (_MEANING,),
    ),
    Mutant(
        "patterns",
        "a character of a set means something to the database",
        (
            Edit(
                _PATTERNS,
                'if character.isalnum() or character == "_" else',
                'if character.isalnum() or character in "_-]" else',
            ),
        ),
        (_MEANING,),
    ),
    Mutant(
        "patterns",
        "a pattern without a meaning selects something",
        (Edit("tierkeeper/catalog/browse.py", "    if problem is not None:\n", "    if False:\n"),),
        (f"{_FILTERS}test_a_pattern_without_a_meaning_is_refused",),
    ),
)
