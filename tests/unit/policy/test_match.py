"""Which policy governs, and where two of them tie."""

import itertools
import re
import time
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unit.policy.samples import policy

from tierkeeper.base.errors import PolicyNotFound, PolicyTie, TooManyPolicies
from tierkeeper.policy import match, patterns
from tierkeeper.policy.match import PolicySet, Standing, Subject, check_ties, governing, matches, overlap, why
from tierkeeper.policy.rules import Match

REPORT = Subject(
    "acme", "weekly_sales", "2024/q1.md", (("kind", "report"), ("year", "2024")), "text/plain; charset=utf-8", 100
)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        # exact fields
        (Match(tenant="acme"), True),
        (Match(tenant="Acme"), False),
        # patterns; a star crosses slashes, case counts
        (Match(workflow="weekly_*"), True),
        (Match(workflow="Weekly_*"), False),
        (Match(name="*.md"), True),
        (Match(name="202[45]/q?.md"), True),
        (Match(name="202[!45]/q?.md"), False),
        # all tags given must be there
        (Match(tags=(("kind", "report"),)), True),
        (Match(tags=(("kind", "report"), ("year", "2023"))), False),
        # a content type without its parameters
        (Match(content_type="text/*"), True),
        (Match(content_type="text/plain"), True),
        (Match(content_type="image/*"), False),
        # both bounds of the size included
        (Match(size_min=100, size_max=100), True),
        (Match(size_min=101), False),
        (Match(size_max=99), False),
    ],
)
def test_matches(match: Match, fits: bool) -> None:  # noqa: FBT001  a column of the table
    """A policy matches if everything that its match asks for holds."""
    assert matches(policy(match=match), REPORT) == fits


@pytest.mark.parametrize(
    ("more", "less"),
    [
        # the order of the fields
        (Match(tenant="acme"), Match(workflow="weekly_sales", name="2024/q1.md")),
        (Match(workflow="*sales"), Match(name="2024/q1.md")),
        (Match(name="*"), Match(tags=(("kind", "report"), ("year", "2024")))),
        (Match(tags=(("kind", "report"),)), Match(content_type="text/plain")),
        (Match(content_type="text/*"), Match(size_min=100, size_max=100)),
        # exact beats a pattern
        (Match(workflow="weekly_sales"), Match(workflow="weekly_sale*")),
        # a longer literal beginning beats a shorter
        (Match(name="2024/*"), Match(name="2*/q1.md")),
        # then more fixed characters
        (Match(name="2*/q1.md"), Match(name="2*.md")),
        # more tags
        (Match(tags=(("kind", "report"), ("year", "2024"))), Match(tags=(("kind", "report"),))),
        # two bounds of size, the narrower span, the tighter bound
        (Match(size_min=1, size_max=1000), Match(size_min=99)),
        (Match(size_min=99, size_max=101), Match(size_min=1, size_max=1000)),
        (Match(size_min=99), Match(size_min=1)),
        (Match(size_max=100), Match(size_max=1000)),
    ],
)
def test_governing(more: Match, less: Match) -> None:
    """The more specific of two matching policies governs, whatever their order."""
    first, second = policy("a", more), policy("b", less)
    assert governing([first, second], REPORT) == governing([second, first], REPORT) == first


def test_built_in_is_last() -> None:
    """A policy of the user beats a built-in one with the same match."""
    built_in = policy("default", built_in=True)
    mine = policy("aaa")
    assert governing([built_in, mine], REPORT) == mine
    check_ties([built_in, mine])


def test_nothing_governs() -> None:
    """Without any matching policy that is an error."""
    with pytest.raises(PolicyNotFound):
        governing([policy(match=Match(tenant="other"))], REPORT)


def test_why() -> None:
    """Every policy's standing is told in words, the governing one first."""
    policies = [
        policy("default", built_in=True),
        policy("mine"),
        policy("pictures", Match(content_type="image/*")),
        policy("reports", Match(tenant="acme", name="*.md", tags=(("kind", "report"),), size_min=1, size_max=200)),
    ]
    told = [(verdict.policy.name, verdict.standing, verdict.detail) for verdict in why(policies, REPORT)]
    assert told == [
        (
            "reports",
            Standing.GOVERNS,
            "it matches tenant 'acme' and name '*.md' and tag kind=report and size from 1 and size up to 200",
        ),
        ("mine", Standing.LESS_SPECIFIC, "it matches too, but reports v1 is more specific in tenant"),
        ("default", Standing.LESS_SPECIFIC, "it matches too, but reports v1 is more specific in tenant"),
        ("pictures", Standing.NO_MATCH, "content type 'text/plain' does not fit 'image/*'"),
    ]
    (first, second) = why(policies[:2], REPORT)
    assert first.detail == "it matches everything"
    assert second.detail == "it matches too, but it is built in and mine v1 is not"


@pytest.mark.parametrize(
    ("one", "other", "example"),
    [
        # the same match
        (Match(), Match(), "every artifact"),
        # patterns of the same weight that meet
        (Match(name="a*"), Match(name="*a"), None),
        (Match(name="ab*"), Match(name="a?*"), None),
        (Match(name="a*c"), Match(name="a*d"), None),
        (Match(name="a?c"), Match(name="a[a-d]c"), "an artifact with name aac"),
        (Match(workflow="*_x", name="q*"), Match(workflow="*_?", name="q*"), "an artifact with workflow _x, name q"),
        # tags that can stand together, and that cannot
        (Match(tags=(("a", "1"),)), Match(tags=(("b", "1"),)), "an artifact with tags a=1, b=1"),
        (Match(tags=(("a", "1"),)), Match(tags=(("a", "2"),)), None),
        # spans of the same width
        (Match(size_min=0, size_max=10), Match(size_min=5, size_max=15), "an artifact with size 5"),
        (Match(size_min=0, size_max=10), Match(size_min=11, size_max=21), None),
        # tenants
        (Match(tenant="a"), Match(tenant="b"), None),
        (
            Match(tenant="a", content_type="text/*"),
            Match(tenant="a", content_type="text/*"),
            "tenant a, content type text/",
        ),
    ],
)
def test_ties(one: Match, other: Match, example: str | None) -> None:
    """Two equally specific policies that one artifact could match are refused, with an example."""
    pair = [policy("a", one), policy("b", other)]
    if example is None:
        check_ties(pair)
    else:
        with pytest.raises(PolicyTie) as caught:
            check_ties(pair)
        assert example in str(caught.value)
        assert overlap(one, other)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "empty"),
        ("a[b", "never closed"),
        ("[!]", "never closed"),
        ("[z-a]", "runs backwards"),
        ("a\tb", "control"),
        ("a" * 701, "longer"),
    ],
)
def test_bad_patterns(pattern: str, words: str) -> None:
    """A pattern that cannot be meant is told what is wrong."""
    assert words in (patterns.problem(pattern) or "")


def test_ties_of_many_policies_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand policies are compared by tenant and literal beginning, not each with each."""
    pairs = itertools.count(1)
    overlap_of = match._overlap

    def counted(first: Match, second: Match) -> str | None:
        assert next(pairs) < 100
        return overlap_of(first, second)

    monkeypatch.setattr(match, "_overlap", counted)
    many = [
        policy(f"p{n}", Match(tenant=f"t{n % 10}", workflow=f"w{n:05}*", name="*.md")) for n in range(match.MOST - 1)
    ]
    began = time.process_time()
    check_ties(many)
    with pytest.raises(PolicyTie, match="p7"):
        check_ties([*many, policy("other", Match(tenant="t7", workflow="w00007*", name="*.md"))])
    assert time.process_time() - began < 5


def test_no_more_policies_than_the_bounds() -> None:
    """A policy beyond the bounds is refused; what is beyond them already may be edited, and not grow."""
    ours = [policy(f"p{n}", Match(tenant="t", workflow=f"w{n}")) for n in range(match.MOST_OF_TENANT + 1)]
    alls = [policy(f"q{n}", Match(workflow=f"w{n}")) for n in range(match.MOST + 1)]
    match.check_numbers([], ours[1:])
    match.check_numbers([], alls[1:])
    match.check_numbers(ours, ours)
    match.check_numbers(alls, alls[1:])
    with pytest.raises(TooManyPolicies, match="1001 policies of tenant t; the limit is 1000"):
        match.check_numbers(ours[1:], ours)
    with pytest.raises(TooManyPolicies, match="10001 policies; the limit is 10000"):
        match.check_numbers([], alls)


_GLOBS = st.sampled_from([None, "a", "ab", "a*", "*", "ab*", "*b", "[a]*", "?b", "b"])
_MATCHES = st.builds(Match, tenant=st.sampled_from([None, "s", "t"]), workflow=_GLOBS, name=_GLOBS)


@given(st.lists(_MATCHES, max_size=12), st.sampled_from("st"), st.text("ab", max_size=3), st.text("ab", max_size=3))
def test_a_set_of_policies_finds_the_governing_one(matches: list[Match], tenant: str, workflow: str, name: str) -> None:
    """A set that is looked up by tenant and beginnings gives the policy that a comparison with all of them gives."""
    policies = [policy("rest", Match()), *(policy(f"p{n}", each) for n, each in enumerate(matches))]
    subject = Subject(tenant, workflow, name)
    assert PolicySet(policies).governing(subject) == governing(policies, subject)
    assert list(PolicySet(policies)) == policies


PATTERNS = st.text(alphabet="ab*?[]!-", min_size=1, max_size=8).filter(lambda p: patterns.problem(p) is None)
TEXTS = st.text(alphabet="ab-]!", max_size=6)


@given(PATTERNS, PATTERNS, TEXTS)
@example("*a", "b*", "ba")
def test_common_is_right(first: str, second: str, text: str) -> None:
    """A common text fits both patterns, and where there is none no text fits both."""
    found = patterns.common(first, second)
    if found is None:
        assert not (patterns.matches(first, text) and patterns.matches(second, text))
    else:
        assert patterns.matches(first, found)
        assert patterns.matches(second, found)


def test_comparing_patterns_costs_little_whatever_their_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    """190 pairs of the worst patterns are compared, and the example of a tie is found, in seconds: it was minutes.

    Two elements are compared once, wherever they stand.
    """
    compared = Counter[str]()
    takes = patterns._Token.takes

    def counted(token: patterns._Token, character: str) -> bool:
        compared[character] += 1
        return takes(token, character)

    monkeypatch.setattr(patterns._Token, "takes", counted)
    alike = [policy(f"p{letter}", Match(tenant="t", name=f"*{letter}?" * 233)) for letter in "abcdefghijklmnopqrst"]
    before = time.process_time()
    match.check_ties(alike)
    assert compared.total() < 20_000
    assert time.process_time() - before < 6
    tied = [policy("one", Match(name="*a?" * 233)), policy("two", Match(name="*a?" * 232 + "*?a"))]
    with pytest.raises(PolicyTie):
        match.check_ties(tied)
    assert time.process_time() - before < 12


@given(PATTERNS, TEXTS)
@example("[!a]", "b")
@example("[a-a-a]", "-")
def test_the_regular_expression_means_the_same(pattern: str, text: str) -> None:
    """What a pattern is for the database fits what it fits in a policy."""
    assert (re.search(patterns.regex(pattern), text) is not None) == patterns.matches(pattern, text)


@given(st.text(alphabet="ab*?[]!-", max_size=8))
def test_escaped(text: str) -> None:
    """An escaped text is a pattern of that text alone."""
    pattern = patterns.escaped(text)
    assert patterns.matches(pattern, text)
    assert patterns.is_exact(pattern)
