"""Policy documents, and the line of everything that can be wrong in one."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from unit.policy.samples import TIERS, phase, policy, retention

from tierkeeper.base.errors import PolicyInvalid
from tierkeeper.base.states import RetentionMode, WriteStrategy
from tierkeeper.policy.checks import problems
from tierkeeper.policy.document import from_document, parse, to_document, to_yaml
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.nodes import MAX_BYTES
from tierkeeper.policy.rules import Match, Policy

FULL = """\
name: reports
match: {tenant: acme, workflow: "weekly_*", name: "*.md", tags: {kind: report, year: 2024}, content_type: "Text/*",
  size: {min: 0, max: 10 GiB}}
clock: metadata:signed
write: all
phases:
  - {after: 0d,  in: [hot]}
  - {after: 7d,  in: [warm, cold]}
  - {after: 30d, in: [cold]}
  - {after: 8 years, in: []}        # purge
retention: {mode: compliance, for: P7Y, in: [cold]}
versions: {keep: 25}
undo: 7d
"""
SHORT = "name: short\nphases: [{after: 0d, in: [hot]}]\n"


def read(text: str) -> list[Policy]:
    """Read policies for the sample tiers."""
    return parse(text, source="reports.yaml", tiers=TIERS)


def test_full() -> None:
    """A document with everything is read as it is meant."""
    (found,) = read(FULL)
    assert found == Policy(
        name="reports",
        version=0,
        match=Match(
            tenant="acme",
            workflow="weekly_*",
            name="*.md",
            tags=(("kind", "report"), ("year", "2024")),
            content_type="text/*",
            size_min=0,
            size_max=10 << 30,
        ),
        clock="metadata:signed",
        write=WriteStrategy.ALL,
        phases=(phase("0d", "hot"), phase("7d", "warm", "cold"), phase("30d", "cold"), phase("8y")),
        retention=replace(retention("P7Y"), mode=RetentionMode.COMPLIANCE),
        versions_keep=25,
        undo=Duration(days=7),
    )
    assert found.label == "reports (not applied)"


def test_short() -> None:
    """What is left out has its default: created, hottest, no match, kept for good, undo by the settings."""
    (found,) = read(SHORT)
    assert found == policy("short", version=0, phases=(phase("0d", "hot"),))


def test_retention_tiers_default() -> None:
    """Retention that names no tier protects the coldest of the phases that can lock, in governance mode."""
    (found,) = read("name: a\nphases: [{after: 0d, in: [hot, cold]}]\nretention: {for: P7Y}\n")
    assert found.retention == retention("P7Y")


@pytest.mark.parametrize(
    "text",
    [
        # several documents
        f"{SHORT}---\n{SHORT.replace('short', 'other')}---\n",
        # a list
        (
            '[{"name": "short", "phases": [{"after": "0d", "in": ["hot"]}]},'
            ' {"name": "other", "phases": [{"after":"0d","in":["hot"]}]}]'
        ),
        # JSON with tabs
        json.dumps(
            [{"name": name, "phases": [{"after": "0d", "in": ["hot"]}]} for name in ("short", "other")], indent="\t"
        ),
    ],
)
def test_several(text: str) -> None:
    """Several policies come as YAML documents, as a list, as JSON."""
    assert [found.name for found in read(text)] == ["short", "other"]


@pytest.mark.parametrize("pattern", [".*", "a/..*", "* b*", "*-x*", "*/*", "*.", f"*{'x' * 255}?", "*\u0301*", "[-b]a"])
def test_patterns_that_some_name_fits(pattern: str) -> None:
    """What stands between other characters is judged with them; a name that is wrong alone may be a part of one."""
    document = json.dumps({"name": "a", "match": {"name": pattern}, "phases": [{"after": "0d", "in": ["hot"]}]})
    assert read(document)[0].match.name == pattern


def test_a_policy_in_force_stays_readable() -> None:
    """What an earlier release took, though no name fits, is read from the catalog as it is."""
    stored = {"match": {"name": "a//*"}, "phases": [{"after": "0d", "in": ["hot"]}]}
    assert from_document(stored, name="old", version=1).match.name == "a//*"


def test_json_escapes() -> None:
    """JSON's escapes of characters beyond 16 bits are joined."""
    (found,) = read(
        '{"name": "short", "match": {"tags": {"face": "\\ud83d\\ude00"}}, "phases": [{"after": "0d", "in": ["hot"]}]}'
    )
    assert found.match.tags == (("face", "\N{GRINNING FACE}"),)


def changed(old: str, new: str) -> str:
    """Return the full document with one change, which must be one."""
    assert FULL.count(old) == 1
    return FULL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # no YAML, no document
        ("name: [a\nphases: ]\n", 2, "this is no YAML"),
        ("a: b\n\tc: d\n", 2, "this is no YAML"),
        ("name: a\n\x07\n", 2, "a character that YAML forbids"),
        ("", 1, "there is nothing in it"),
        ("---\n---\n", 1, "there is nothing in it"),
        ('{"a":\t"b",,}', 1, "this is no YAML"),
        ("just words", 1, "a policy must be a mapping"),
        # bombs
        ("#" * (MAX_BYTES + 1), 1, "longer than 256 KiB"),
        ("a: &a [x]\nb: *a\n", 2, "aliases"),
        ("[" * 30, 1, "nested deeper"),
        # keys
        (changed("versions:", "verions:"), 12, "Did you mean 'versions'?"),
        (changed("undo: 7d", "zzz: 7d"), 13, "Known are: name,"),
        (changed("undo: 7d", "clock: created"), 13, "'clock' stands twice in a policy"),
        (changed("kind: report", "kind: a, kind: b"), 2, "'kind' stands twice in tags"),
        (changed("name: reports\n", ""), 1, "a policy lacks 'name'"),
        ("name: a\n", 1, "a policy lacks 'phases'"),
        (changed("{after: 7d,  in: [warm, cold]}", "{in: [warm, cold]}"), 8, "a phase lacks 'after'"),
        (changed("for: P7Y, ", ""), 11, "retention lacks 'for'"),
        ("? [a]\n: b\n", 1, "a key of a policy must be text"),
        # names and patterns
        (changed("name: reports", "name: a/b"), 1, "it has a '/'"),
        (changed("name: reports", "name: yes"), 1, "name must be text"),
        (changed("name: reports", 'name: "\\ud800"'), 1, "not valid Unicode"),
        (changed("tenant: acme", "tenant: ac*"), 2, "tenant takes no pattern"),
        (changed("tenant: acme", 'tenant: "a:b"'), 2, "it has ':'"),
        (changed('"weekly_*"', '"a/*"'), 2, "workflow 'a/*' is no usable pattern"),
        (changed('"*.md"', '"/*.md"'), 2, "none begins with '/'"),
        (changed('"*.md"', '"[a.md"'), 2, "never closed"),
        (changed('"*.md"', '"a:*"'), 2, "no usable pattern"),
        # patterns that no name fits, wherever in them that is
        (changed('"*.md"', '"a//*.md"'), 2, "no name fits 'a//*.md': of 'a//'"),
        (changed('"*.md"', '"-a*"'), 2, "a segment begins with '-'"),
        (changed('"*.md"', '"../*"'), 2, "path traversal"),
        (changed('"*.md"', '"*/./*.md"'), 2, "path traversal"),
        (changed('"*.md"', '"[*]*.md"'), 2, "it has '*'"),
        (changed('"*.md"', '"*/"'), 2, "it is empty, begins or ends with '/'"),
        (changed('"*.md"', '"*cafe\\u0301*"'), 2, "Use 'caf\u00e9' (NFC)"),
        (changed('"*.md"', f'"*{"x" * 256}*"'), 2, "a segment is longer than 255 bytes"),
        (changed('"weekly_*"', '"-weekly_*"'), 2, "no workflow fits '-weekly_*'"),
        (changed('"Text/*"', "null"), 2, "content_type must be text"),
        (changed("kind: report", "kind: true"), 2, "tag kind must be text"),
        (changed("min: 0", "min: lots"), 3, "it is no size"),
        (changed("min: 0", "min: 11 GiB"), 3, "Swap min and max"),
        # choices
        (changed("metadata:signed", "modified"), 4, "there is no clock 'modified'"),
        (changed("metadata:signed", '"metadata:"'), 4, "there is no clock"),
        (changed("write: all", "write: some"), 5, "Choose from: all, hottest, coldest"),
        (changed("mode: compliance", "mode: worm"), 11, "Choose from: governance, compliance"),
        (changed("keep: 25", "keep: 0"), 12, "a whole number from 1 on"),
        (changed("keep: 25", "keep: many"), 12, "a whole number from 1 on"),
        (changed("keep: 25", "keep: '25'"), 12, "a whole number from 1 on"),
        # durations
        (changed("after: 7d", "after: 7"), 8, "it has no unit"),
        (changed("undo: 7d", "undo: soon"), 13, "undo 'soon' is not usable"),
        # tiers
        (changed("[hot]", "[hat]"), 7, "there is no tier 'hat'"),
        (changed("[hot]", "hot"), 7, "in must be a list"),
        (changed("[warm, cold]", "[cold, cold]"), 8, "stands twice in one list"),
        (changed("for: P7Y, in: [cold]", "for: P7Y, in: [ice]"), 11, "there is no tier 'ice'"),
        # phases
        ("name: a\nphases: []\n", 2, "there is no phase"),
        ("name: a\nphases: {}\n", 2, "phases must be a list"),
        (changed("after: 0d", "after: 1d"), 7, "the first phase begins at 1d"),
        ("name: a\nphases:\n- {after: 0d, in: []}\n", 3, "wants artifacts nowhere"),
        (changed("after: 30d", "after: 7d"), 9, "does not always begin after"),
        (changed("after: 30d", "after: 3d"), 9, "does not always begin after"),
        (
            "name: a\nphases:\n- {after: 0d, in: [hot]}\n- {after: 30d, in: [warm]}\n- {after: P1M, in: [cold]}\n",
            5,
            "every calendar day",
        ),
        (changed("{after: 30d, in: [cold]}", "{after: 30d, in: []}"), 9, "a purge comes before another phase"),
        # retention
        (changed("8 years", "6 years"), 10, "comes before the end of the retention"),
        (changed("8 years", "2555d"), 10, "comes before the end of the retention"),
        (changed("for: P7Y, in: [cold]", "for: P7Y, in: [warm]"), 11, "tier warm cannot lock"),
        (changed("for: P7Y", "for: 0d"), 11, "it retains for no time"),
        (changed("{after: 30d, in: [cold]}", "{after: 30d, in: [warm]}"), 9, "leaves tier cold at 30d"),
        (
            "name: a\nphases: [{after: 0d, in: [hot]}]\nretention: {for: 1y, in: [cold]}\n",
            3,
            "no phase puts a copy in tier cold",
        ),
        ("name: a\nphases: [{after: 0d, in: [hot]}]\nretention:\n  for: 1y\n", 3, "tier hot cannot lock"),
        # one name twice
        (SHORT + "---\n" + SHORT, 4, "policy 'short' stands here twice"),
    ],
)
def test_refused(text: str, line: int, words: str) -> None:
    """Whatever is wrong is an error that says where, what, and what to do."""
    with pytest.raises(PolicyInvalid) as caught:
        read(text)
    assert str(caught.value).startswith(f"reports.yaml, line {line}: ")
    assert words in str(caught.value)


def test_all_problems() -> None:
    """Everything that is wrong with a policy is found, in the order of the document."""
    bad = policy(
        phases=(phase("1d", "attic"), phase("7d", "cold"), phase("7d", "hot"), phase("9d", "warm")),
        retention=retention("P7Y"),
    )
    paths = [found.path for found in problems(bad, TIERS)]
    assert paths == [
        ("phases", 0, "in"),
        ("phases", 0, "after"),
        ("phases", 2, "after"),
        ("phases", 2, "in"),
        ("phases", 3, "in"),
    ]
    assert [found.path for found in problems(policy(phases=()), TIERS)] == [("phases",)]


def test_no_tier_locks() -> None:
    """Where no tier can lock, retention is refused with that fact."""
    with pytest.raises(PolicyInvalid, match="tier cold cannot lock objects"):
        parse(FULL, source="a", tiers=[replace(tier, can_lock=False) for tier in TIERS])


@pytest.mark.parametrize("text", [FULL, FULL.replace(", in: [cold]}\nversions", "}\nversions")])
def test_only_the_tiers_of_the_retention_are_asked(text: str) -> None:
    """A tier that is away is in the way of no policy that does not lock it, named or the coldest that can."""

    def away() -> bool:
        pytest.fail("a tier that is not locked was asked")

    tiers = [tier if tier.name == "cold" else replace(tier, can_lock=away) for tier in TIERS]
    (found,) = parse(text, source="a", tiers=tiers)
    assert found.retention is not None
    assert found.retention.tiers == {"cold"}


@pytest.mark.parametrize("text", [FULL, SHORT])
def test_round_trip(text: str) -> None:
    """A policy reads back from its document and from its YAML as itself."""
    (found,) = read(text)
    document = json.loads(json.dumps(to_document(found)))
    back = from_document(document, name=found.name, version=3, id=UUID(int=7), built_in=True)
    assert back == replace(found, version=3, built_in=True)
    assert back.id == UUID(int=7)
    assert back.label == f"{found.name} v3"
    assert read(to_yaml(found)) == [found]


def test_removed_tier() -> None:
    """A stored policy is still read when one of its tiers is configured no more."""
    gone = policy(phases=(phase("0d", "attic"),))
    assert from_document(to_document(gone), name="default", version=1) == gone
