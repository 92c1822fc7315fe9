"""One rule of a lifecycle configuration: what it matches, where it moves, when it ends.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html defines the elements. What tierkeeper does
anyway, or what has no object here, is a remark; an element that no policy can express is an error that names the rule
and the element. Nothing is dropped silently.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import yaml

from tierkeeper.policy import patterns
from tierkeeper.policy.durations import MAX_YEARS
from tierkeeper.policy.nodes import Reader
from tierkeeper.policy.rules import Match
from tierkeeper.policy.s3.remarks import Remarks
from tierkeeper_client.errors import InvalidName
from tierkeeper_client.identifiers import check_part

_ELEMENTS: Final = ("ID", "Status", "Filter", "Prefix", "Transitions", "Expiration")
_NO_DATES: Final = "Write Days: phases begin at an age, not on a day."
_CONDITIONS: Final = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
_MOST_DAYS: Final = MAX_YEARS * 365
_NO_MARKERS: Final = "there are no delete markers to clean up"
#: flags of an Expiration; the last two are MinIO's
_FLAGS: Final = {
    "ExpiredObjectDeleteMarker": _NO_MARKERS,
    "DeleteMarker": _NO_MARKERS,
    "ExpiredObjectAllVersions": "each version ends at its own age",
}
_DONE_ANYWAY: Final = {
    "AbortIncompleteMultipartUpload": "abandoned uploads are collected without a rule",
    "DelMarkerExpiration": _NO_MARKERS,
    "NoncurrentVersionTransitions": "all versions of an artifact follow the same phases",
}


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """A rule that acts; ``number`` in its list, from 1; ``prefix``: what all names that it matches begin with."""

    id: str
    number: int
    node: yaml.Node
    match: Match
    prefix: str
    moves: tuple[tuple[int, str], ...]  # days, tier
    purge: int | None  # days


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Reads the rules of one text: ``tier_of_class`` by storage class; ``within``: what every match begins with."""

    reader: Reader
    remarks: Remarks
    tier_of_class: Mapping[str, str]
    within: Match

    def identity(self, node: yaml.Node, index: int) -> str | None:
        """Return the ID of the rule that is the ``index``-th of its list, from 1; None if it has none."""
        pairs = self.reader.pairs(node, what=f"rule {index}")
        return self.reader.text(pairs["ID"][1], what="ID") if "ID" in pairs else None

    def rule(self, node: yaml.Node, identity: str, *, number: int) -> LifecycleRule | None:
        """Return a rule; None for one that does nothing here, with a remark. Raises PolicyInvalid."""
        reader = self.reader
        what = f"rule {identity!r}"
        pairs = reader.pairs(node, what=what)
        if "Status" in pairs and not self._enabled(pairs["Status"][1], what):
            self.remarks.add(node, f"{what} is not imported: it is disabled.")
            return None
        noted = self._done_anyway(pairs, what)
        self._refuse_noncurrent(pairs, what)
        fields = reader.fields(node, what=what, known=(*_ELEMENTS, *_DONE_ANYWAY), needed=("Status",))
        match, prefix = self._match(fields, what)
        moves = self._transitions(fields, what)
        purge = None
        if "Expiration" in fields:
            purge, markers = self._expiration(fields["Expiration"], what)
            noted |= markers
        if moves or purge is not None:
            return LifecycleRule(identity, number, node, match, prefix, moves, purge)
        if not noted:
            reader.fail(node, f"{what} does nothing.", "Give it Transitions or an Expiration.")
        return None

    def _enabled(self, node: yaml.Node, what: str) -> bool:
        status = self.reader.text(node, what=f"{what}, Status")
        if status not in {"Enabled", "Disabled"}:
            self.reader.fail(node, f"{what}, Status: it is {status[:40]!r}.", "Write Enabled or Disabled.")
        return status == "Enabled"

    def _done_anyway(self, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], what: str) -> bool:
        present = [key for key in _DONE_ANYWAY if key in pairs]
        for key in present:
            self.remarks.add(pairs[key][0], f"{what}, {key} is not imported: {_DONE_ANYWAY[key]}.")
        return bool(present)

    def _refuse_noncurrent(self, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], what: str) -> None:
        if "NoncurrentVersionExpiration" in pairs:
            problem = f"{what}, NoncurrentVersionExpiration: a policy cannot say this."
            fix = "Remove it, and write `versions: {keep: N}` into the policy: it counts versions, not days."
            self.reader.fail(pairs["NoncurrentVersionExpiration"][0], problem, fix)

    def _match(self, fields: Mapping[str, yaml.Node], what: str) -> tuple[Match, str]:
        reader = self.reader
        if "Filter" in fields and "Prefix" in fields:
            reader.fail(fields["Prefix"], f"{what}, Prefix: there is a Filter too.", "Put the prefix into the Filter.")
        if "Filter" in fields:
            return self._filter(fields["Filter"], what)
        prefix = self._prefix(fields["Prefix"], what) if "Prefix" in fields else ""
        return replace(self.within, name=_pattern(prefix)), prefix

    def _filter(self, node: yaml.Node, what: str) -> tuple[Match, str]:
        reader = self.reader
        fields = reader.fields(node, what=f"{what}, Filter", known=(*_CONDITIONS, "And"))
        if len(fields) > 1:
            reader.fail(node, f"{what}, Filter: it has more than one condition.", "Put them into And.")
        tags: list[yaml.Node] = [fields["Tag"]] if "Tag" in fields else []
        if "And" in fields:
            known = ("Prefix", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
            fields = reader.fields(fields["And"], what=f"{what}, And", known=known)
            tags = reader.items(fields["Tags"], what="Tags") if "Tags" in fields else []
        prefix = self._prefix(fields["Prefix"], what) if "Prefix" in fields else ""
        match = replace(self.within, name=_pattern(prefix), tags=tuple(sorted(self._tag(tag, what) for tag in tags)))
        if "ObjectSizeGreaterThan" in fields:
            least = reader.size(fields["ObjectSizeGreaterThan"], what=f"{what}, ObjectSizeGreaterThan")
            match = replace(match, size_min=least + 1)
        if "ObjectSizeLessThan" in fields:
            most = reader.size(fields["ObjectSizeLessThan"], what=f"{what}, ObjectSizeLessThan", least=1)
            match = replace(match, size_max=most - 1)
        return match, prefix

    def _prefix(self, node: yaml.Node, what: str) -> str:
        prefix = self.reader.text(node, what="Prefix")
        problem = patterns.problem(patterns.escaped(prefix) + "*", never=patterns.NEVER_IN_NAMES)
        if problem is None and prefix.startswith("/"):
            problem = "names are relative, none begins with '/'"
        fix = "Correct it, or remove the rule."
        if problem is None and prefix:
            try:
                check_part(prefix, field="Prefix", begins=True, ends=False)
            except InvalidName as error:
                problem, fix = f"no name begins so, as {error.data['problem']}", str(error.data["fix"])
        if problem is not None:
            self.reader.fail(node, f"{what}, Prefix {prefix[:80]!r}: {problem}.", fix)
        return prefix

    def _tag(self, node: yaml.Node, what: str) -> tuple[str, str]:
        fields = self.reader.fields(node, what=f"{what}, Tag", known=("Key", "Value"), needed=("Key", "Value"))
        return self.reader.text(fields["Key"], what="Key"), self.reader.text(fields["Value"], what="Value")

    def _transitions(self, rule_fields: Mapping[str, yaml.Node], what: str) -> tuple[tuple[int, str], ...]:
        reader = self.reader
        nodes = reader.items(rule_fields["Transitions"], what="Transitions") if "Transitions" in rule_fields else []
        moves = []
        for node in nodes:
            elements = ("Days", "Date", "StorageClass")
            fields = reader.fields(node, what=f"{what}, Transition", known=elements, needed=("StorageClass",))
            storage_class = reader.text(fields["StorageClass"], what="StorageClass")
            tier = self.tier_of_class.get(storage_class)
            if tier is None:
                problem = f"{what}, Transition: no tier has the storage class {storage_class}."
                known = ", ".join(self.tier_of_class) or "none"
                fix = (
                    f"Name its tier with --class {storage_class}=TIER, or in the URL of an S3 tier, with"
                    f" ?class={storage_class}. Classes are: {known}."
                )
                reader.fail(fields["StorageClass"], problem, fix)
            moves.append((self._days(fields, node, f"{what}, Transition", least=0), tier))
        return tuple(moves)

    def _expiration(self, node: yaml.Node, what: str) -> tuple[int | None, bool]:
        """Return the days, None without any, and whether the element is about delete markers."""
        reader = self.reader
        fields = reader.fields(node, what=f"{what}, Expiration", known=("Days", "Date", *_FLAGS))
        flags = {key: fields.pop(key) for key in _FLAGS if key in fields}
        asked = [key for key, flag in flags.items() if reader.flag(flag, what=key)]
        for key in asked:
            self.remarks.add(flags[key], f"{what}, {key} is not imported: {_FLAGS[key]}.")
        if flags and not fields:
            if not asked:
                self.remarks.add(node, f"{what}, Expiration is not imported: it asks for nothing ({', '.join(flags)}).")
            return None, True
        return self._days(fields, node, f"{what}, Expiration", least=1), False

    def _days(self, fields: Mapping[str, yaml.Node], node: yaml.Node, what: str, *, least: int) -> int:
        if "Date" in fields:
            self.reader.fail(fields["Date"], f"{what}, Date: a policy cannot say this.", _NO_DATES)
        if "Days" not in fields:
            self.reader.fail(node, f"{what} lacks Days.", "Give the age in days.")
        days = self.reader.whole(fields["Days"], what=f"{what}, Days", least=least, most=sys.maxsize)
        if days > _MOST_DAYS:
            problem = f"{what}, Days: {days} days are more than {MAX_YEARS} years."
            self.reader.fail(fields["Days"], problem, "Where this is to never happen, remove the element.")
        return days


def _pattern(prefix: str) -> str | None:
    return patterns.escaped(prefix) + "*" if prefix else None
