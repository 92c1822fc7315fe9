"""S3 lifecycle configurations: what becomes of them, and what is refused by rule and element."""

import json
from typing import Any

import pytest
from unit.policy.samples import TIERS, phase

from tierkeeper.base.errors import InvalidInput, PolicyInvalid
from tierkeeper.policy.document import from_document, to_document
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Policy
from tierkeeper.policy.s3 import lifecycle
from tierkeeper.policy.s3.lifecycle import import_lifecycle

CLASSES = {"STANDARD_IA": "warm", "GLACIER": "cold"}
EXPIRES: dict[str, Any] = {"Expiration": {"Days": 365}}


def rule(name: str = "logs", **elements: Any) -> dict[str, Any]:  # noqa: ANN401  any element
    """Return an enabled rule."""
    return {"ID": name, "Status": "Enabled"} | elements


def imported(*rules: dict[str, Any], **extra: Any) -> list[Policy]:  # noqa: ANN401  any argument
    """Import these rules."""
    text = json.dumps({"Rules": rules}, indent=1)
    result = import_lifecycle(text, name="s3", source="lc.json", tiers=TIERS, tier_of_class=CLASSES, **extra)
    return list(result.policies)


def test_transitions_and_expiration() -> None:
    """Transitions and an expiration become phases that begin in the hottest tier that is no database."""
    transitions = [{"Days": 90, "StorageClass": "GLACIER"}, {"Days": 30, "StorageClass": "STANDARD_IA"}]
    (made,) = imported(rule(Filter={"Prefix": "logs/"}, Transitions=transitions, **EXPIRES))
    assert made.name == "s3-logs"
    assert made.match == Match(name="logs/*")
    assert made.phases == (phase("0d", "hot"), phase("30d", "warm"), phase("90d", "cold"), phase("365d"))
    assert from_document(to_document(made), name="s3-logs", version=0) == made


def test_first_tier() -> None:
    """The tier of class STANDARD is where artifacts begin, and a transition at 0 days takes its place."""
    text = json.dumps({"Rules": [rule(Filter={}, **EXPIRES)]})
    (made,) = import_lifecycle(text, name="s3", source="a", tiers=TIERS, tier_of_class={"STANDARD": "warm"}).policies
    assert made.phases == (phase("0d", "warm"), phase("365d"))
    (made,) = imported(rule(Filter={}, Transitions=[{"Days": 0, "StorageClass": "GLACIER"}]))
    assert made.phases == (phase("0d", "cold"),)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"Filter": {}}, Match()),
        ({"Filter": {"Prefix": ""}}, Match()),
        ({}, Match()),
        # the older place of the prefix
        ({"Prefix": "a"}, Match(name="a*")),
        # what a name can begin with, whatever it is alone
        ({"Filter": {"Prefix": "."}}, Match(name=".*")),
        ({"Filter": {"Prefix": "a/.."}}, Match(name="a/..*")),
        ({"Filter": {"Prefix": "my logs "}}, Match(name="my logs *")),
        ({"Filter": {"Prefix": "x" * 255}}, Match(name="x" * 255 + "*")),
        # characters of a pattern are literals
        ({"Filter": {"Prefix": "a[1]/"}}, Match(name="a[[]1]/*")),
        ({"Filter": {"Tag": {"Key": "kind", "Value": "log"}}}, Match(tags=(("kind", "log"),))),
        # S3's bounds of size leave the bound out
        ({"Filter": {"ObjectSizeGreaterThan": 99}}, Match(size_min=100)),
        ({"Filter": {"ObjectSizeLessThan": 100}}, Match(size_max=99)),
        (
            {
                "Filter": {
                    "And": {
                        "Prefix": "a/",
                        "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
                        "ObjectSizeGreaterThan": 0,
                        "ObjectSizeLessThan": 10,
                    }
                }
            },
            Match(name="a/*", tags=(("a", "1"), ("b", "2")), size_min=1, size_max=9),
        ),
        # the older singular form of each list
        (
            {"Filter": {"And": {"Prefix": "a/", "Tag": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]}}},
            Match(name="a/*", tags=(("a", "1"), ("b", "2"))),
        ),
        (
            {"Filter": {"And": {"Prefix": "a/", "Tag": {"Key": "b", "Value": "2"}}}},
            Match(name="a/*", tags=(("b", "2"),)),
        ),
    ],
)
def test_filters(given: dict[str, Any], match: Match) -> None:
    """Every kind of filter becomes a match."""
    (made,) = imported(rule(**given, **EXPIRES))
    assert made.match == match


def test_several_rules() -> None:
    """Rules with one filter are joined, rules with filters that exclude each other become policies of their own."""
    glacier = {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}
    made = imported(
        rule("move", Filter={"Prefix": "a/"}, **glacier),
        rule("end", Filter={"Prefix": "a/"}, **EXPIRES),
        rule("b/x", Filter={"Prefix": "b/"}, **EXPIRES),
        tenant="acme",
        workflow="w*",
    )
    assert [one.name for one in made] == ["s3-move", "s3-3"]
    assert made[0].match == Match(tenant="acme", workflow="w*", name="a/*")
    assert made[0].phases == (phase("0d", "hot"), phase("30d", "cold"), phase("365d"))


MOVE = {"Days": 30, "StorageClass": "GLACIER"}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        # elements that no policy has
        (
            [rule(NoncurrentVersionExpiration={"NoncurrentDays": 7}, **EXPIRES)],
            "rule 'logs', NoncurrentVersionExpiration",
        ),
        ([rule(Expiration={"Date": "2030-01-01"})], "rule 'logs', Expiration, Date"),
        ([rule(Transitions=[{"Date": "2030-01-01", "StorageClass": "GLACIER"}])], "rule 'logs', Transition, Date"),
        # a class that no tier has
        (
            [rule(Transitions=[{"Days": 3, "StorageClass": "DEEP_ARCHIVE"}])],
            "no tier has the storage class DEEP_ARCHIVE",
        ),
        # rules that do nothing, or not now
        ([rule()], "rule 'logs' does nothing"),
        ([{"ID": "off", "Status": "On", **EXPIRES}], "rule 'off', Status"),
        ([{"ID": "off", **EXPIRES}], "rule 'off' lacks 'Status'"),
        # elements that S3 does not know either
        ([rule(Expire={}, **EXPIRES)], "rule 'logs' knows no 'Expire'"),
        ([{"Status": "Enabled"}], "rule '1' does nothing"),
        # unusable values
        ([rule(Expiration={"Days": 0})], "Days must be a whole number from 1 on"),
        ([rule(Expiration={"Days": "10 d"})], "Days must be a whole number"),
        ([rule(Expiration={"Days": 2147483647})], "2147483647 days are more than 1000 years"),
        ([rule(Expiration={"Days": 10**30})], "Days must be a whole number up to"),
        # forms of others
        ([{"Id": "x", "Status": "Enabled", "ExpirationInDays": 365}], "'Id' is of the form of CloudFormation"),
        ([rule(Expiration={})], "lacks Days"),
        ([rule(Expiration={"ExpiredObjectDeleteMarker": "no"})], "must be true or false"),
        ([rule(Filter={"ObjectSizeLessThan": 0}, **EXPIRES)], "must be 1 bytes or more"),
        ([rule(Filter={"ObjectSizeGreaterThan": "big"}, **EXPIRES)], "it is no size"),
        ([rule(Filter={"Prefix": "/a"}, **EXPIRES)], "names are relative"),
        ([rule(Filter={"Prefix": "a:b"}, **EXPIRES)], "rule 'logs', Prefix 'a:b'"),
        # no name begins so, as identifiers have it
        (
            [rule(Filter={"Prefix": "logs/*"}, **EXPIRES)],
            "rule 'logs', Prefix 'logs/*': no name begins so, as it has '*'",
        ),
        ([rule(Filter={"Prefix": "a//"}, **EXPIRES)], "no name begins so"),
        ([rule(Filter={"Prefix": "./a"}, **EXPIRES)], "as it has '.' or '..' as a segment"),
        ([rule(Filter={"Prefix": "../"}, **EXPIRES)], "as it has '.' or '..' as a segment"),
        ([rule(Filter={"Prefix": "a/-x"}, **EXPIRES)], "as a segment begins with '-'"),
        ([rule(Filter={"Prefix": "cafe\u0301/"}, **EXPIRES)], "Use 'caf\u00e9' (NFC)"),
        ([rule(Filter={"Prefix": "x" * 256}, **EXPIRES)], "as a segment is longer than 255 bytes"),
        # filters
        ([rule(Filter={"Prefix": "a", "ObjectSizeLessThan": 9}, **EXPIRES)], "Put them into And"),
        ([rule(Filter={}, Prefix="a", **EXPIRES)], "there is a Filter too"),
        (
            [
                rule("a", Filter={"Prefix": "x"}, **EXPIRES),
                rule("b", Filter={"Tag": {"Key": "k", "Value": "v"}}, **EXPIRES),
            ],
            "overlaps with that of rule 'a'",
        ),
        # the name, the tag or the size lies within, but not all of them
        (
            [
                rule("a", Filter={"And": {"Prefix": "x", "Tags": [{"Key": "k", "Value": "v"}]}}, **EXPIRES),
                rule("b", Filter={"Prefix": "xy"}, **EXPIRES),
            ],
            "overlaps with that of rule 'a'",
        ),
        (
            [
                rule("a", Filter={"And": {"Prefix": "x", "ObjectSizeGreaterThan": 9}}, **EXPIRES),
                rule("b", Filter={"And": {"Prefix": "xy", "ObjectSizeGreaterThan": 8}}, **EXPIRES),
            ],
            "overlaps with that of rule 'a'",
        ),
        # one ID twice, a life that is none
        ([rule("a", **EXPIRES), rule("a", Filter={"Prefix": "x"}, **EXPIRES)], "has a rule with this ID already"),
        ([rule(Expiration={"Days": 999999})], "rule 'logs', Expiration, Days: 999999 days are more than 1000 years"),
        # rules of one filter that contradict each other
        ([rule("a", **EXPIRES), rule("b", Expiration={"Days": 9})], "more than one Expiration"),
        ([rule(Transitions=[MOVE, MOVE | {"StorageClass": "STANDARD_IA"}])], "two tiers at 30 days"),
        # an expiration before a transition
        ([rule(Transitions=[MOVE], Expiration={"Days": 30})], "rule 'logs': the phase at 30d"),
        # no rule
        ([], "there is no rule"),
    ],
)
def test_refused(rules: list[dict[str, Any]], words: str) -> None:
    """What a policy cannot say is an error that names the rule and the element."""
    with pytest.raises(PolicyInvalid) as caught:
        imported(*rules)
    assert words in str(caught.value)


def test_line() -> None:
    """An error points at the line of the element."""
    with pytest.raises(PolicyInvalid, match=r"lc\.json, line 13: rule 'b', NoncurrentVersionExpiration"):
        imported(rule("a", **EXPIRES), rule("b", NoncurrentVersionExpiration={}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Ruls": []}', "Did you mean 'Rules'?"),
        ('{"Rule": []}', "there is no rule"),
        ('{"Rules": [], "Rule": []}', "Rule stands beside Rules"),
        ('{"LifecycleConfiguration": {"Rules": []}, "Bucked": "b"}', "Did you mean 'Bucket'?"),
        ("<Lifecycle", "this is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a document type is not taken"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type is not taken"),
        ("<a>" * 30 + "</a>" * 30, "nested deeper"),
        ("<a>" + "x" * 1024 * 1024 + "</a>", "longer than 1024 KiB"),
        (json.dumps({"Rules": [{}] * 1001}), "there are 1001 rules; S3 takes 1000"),
        ("<Rules/>", "must be a mapping"),
        (
            "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>",
            "'Code' is of the form of an error that S3 answered",
        ),
        ('{"rules": [{"id": "x", "enabled": true}]}', "'rules' is of the form of Cloudflare R2"),
        ('[{"daysFromHidingToDeleting": 3}, {}]', "is of the form of Backblaze B2"),
        ('{"lifecycle": {"rule": []}}', "is of the form of Google Cloud Storage"),
        ("", "Give a lifecycle configuration with at least one rule"),
        ("[{}, {}]", "more than one configuration"),
        ("{", "this is no YAML or JSON"),
    ],
)
def test_no_configuration(text: str, words: str) -> None:
    """Text that is no such configuration is refused."""
    with pytest.raises(PolicyInvalid) as caught:
        import_lifecycle(text, name="s3", source="a", tiers=TIERS, tier_of_class=CLASSES)
    assert words in str(caught.value)


def test_only_rules_that_can_overlap_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many prefixes beside each other no two are compared, nor days by the calendar; a long text is taken."""
    compared: list[tuple[Match, Match]] = []
    asked: list[Duration] = []
    monkeypatch.setattr(lifecycle, "overlap", lambda *both: compared.append(both))
    monkeypatch.setattr(Duration, "after", lambda self, _day: asked.append(self))
    rules = [rule(f"r{i}", Filter={"Prefix": f"team/{i:03}/"}, **EXPIRES) for i in range(40)]
    text = json.dumps({"Rules": [*rules, rule("wide", Filter={"Prefix": "team/00"}, **EXPIRES)]}, indent=1)
    padded = " " * 300 * 1024 + text
    result = import_lifecycle(padded, name="s3", source="a", tiers=TIERS, tier_of_class=CLASSES)
    assert len(result.policies) == 41
    assert [(one.name, other.name) for one, other in compared] == [(f"team/{i:03}/*", "team/00*") for i in range(10)]
    assert not asked


@pytest.mark.parametrize("bad", [{"tenant": "a*"}, {"workflow": "a/b"}, {"workflow": "[a"}])
def test_bad_arguments(bad: dict[str, str]) -> None:
    """Unusable names and patterns beside the configuration are refused too."""
    with pytest.raises(InvalidInput):
        imported(rule(**EXPIRES), **bad)


def test_a_rule_without_an_id_is_not_taken_for_another() -> None:
    """Only given IDs are doubled; each policy has a name of its own, whatever the IDs are."""
    nameless = {"Status": "Enabled", "Filter": {"Prefix": "b"}, **EXPIRES}
    rules = [rule("2", Filter={"Prefix": "a"}, **EXPIRES), nameless, rule("2-2", Filter={"Prefix": "c"}, **EXPIRES)]
    assert [policy.name for policy in imported(*rules)] == ["s3-2", "s3-2-2", "s3-3"]
