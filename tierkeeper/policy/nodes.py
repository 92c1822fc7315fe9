"""Parses YAML and JSON into nodes with line numbers, so that every error names its line. Hostile text is refused."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

from tierkeeper.base.errors import InvalidInput, PolicyInvalid
from tierkeeper.base.quantities import Unreadable, parse_share, parse_size
from tierkeeper_client import lazy

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy.module("yaml")

N = TypeVar("N", int, float)

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20  # a policy needs 5

_TEXT_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "timestamp"))
STR_TAG = "tag:yaml.org,2002:str"
INT_TAG = "tag:yaml.org,2002:int"
BOOL_TAG = "tag:yaml.org,2002:bool"
NULL_TAG = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads typed values from the nodes of one text; ``source`` names the text in errors."""

    source: str
    most_bytes: int = MAX_BYTES

    def documents(self, text: str, *, needed: str = "Write at least one policy.") -> list[yaml.Node]:
        """Return the documents of ``text``; each item of a list is one document. Raises PolicyInvalid.

        ``needed``: what to do where there is none.
        """
        self.check_length(text)
        text = _json_without_tabs(text)
        try:
            self._refuse_bombs(text)
            roots = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node.tag != NULL_TAG]
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = f"this is no YAML or JSON ({error.problem or error.context})."
            self.refuse(mark.line + 1 if mark else 1, problem, "Correct the text here, or just before.")
        except yaml.YAMLError as error:
            position = getattr(error, "position", 0)
            line = text.count("\n", 0, position) + 1
            self.refuse(line, "the text has a character that YAML forbids.", "Remove it; save the text as UTF-8.")
        documents = [item for root in roots for item in (root.value if isinstance(root, yaml.SequenceNode) else [root])]
        if not documents:
            self.refuse(1, "there is nothing in it.", needed)
        return documents

    def check_length(self, text: str) -> None:
        """Raise PolicyInvalid for a text of more than ``most_bytes`` bytes in UTF-8."""
        if len(text.encode("utf-8", "surrogatepass")) > self.most_bytes:
            self.refuse(1, f"the text is longer than {self.most_bytes // 1024} KiB.", "Split it.")

    def fields(
        self, node: yaml.Node, *, what: str, known: Collection[str], needed: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        """Return a mapping's values by key; refuse unknown, repeated and missing keys."""
        fields: dict[str, yaml.Node] = {}
        for key, (key_node, value) in self.pairs(node, what=what).items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
                self.fail(key_node, f"{what} knows no {key!r}.", hint)
            fields[key] = value
        for key in needed:
            if key not in fields:
                self.fail(node, f"{what} lacks {key!r}.", f"Add `{key}: …`.")
        return fields

    def pairs(self, node: yaml.Node, *, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return a mapping's key and value nodes by key; a repeated key is refused."""
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, f"{what} must be a mapping.", "Write `key: value` pairs.")
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value in node.value:
            key = self.text(key_node, what=f"a key of {what}")
            if key in pairs:
                self.fail(key_node, f"{key!r} stands twice in {what}.", "Keep one of them.")
            pairs[key] = (key_node, value)
        return pairs

    def items(self, node: yaml.Node, *, what: str) -> list[yaml.Node]:
        """Return a list's nodes."""
        if not isinstance(node, yaml.SequenceNode):
            self.fail(node, f"{what} must be a list.", "Write it as `[…]`, or as lines that begin with `- `.")
        return list(node.value)

    def text(self, node: yaml.Node, *, what: str) -> str:
        """Return a scalar as it is written; numbers and dates count as text, booleans and null do not."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT_TAGS:
            self.fail(node, f"{what} must be text.", "Write one word, or put it in quotes.")
        value = str(node.value)
        try:
            # JSON writes characters beyond 16 bits as two escapes, which YAML does not join
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.fail(node, f"{what} is not valid Unicode.", "Save the text as UTF-8.")

    def whole(self, node: yaml.Node, *, what: str, least: int, most: int = 999_999_999) -> int:
        """Return a whole number of at least ``least`` and at most ``most``."""
        value = node.value if isinstance(node, yaml.ScalarNode) and node.tag == INT_TAG else ""
        digits = value.lstrip("0") if value.isascii() and value.isdigit() else None
        if digits is not None and (len(digits) > len(str(most)) or int(digits or 0) > most):
            self.fail(node, f"{what} must be a whole number up to {most}.", "Write a smaller one.")
        if digits is None or int(digits or 0) < least:
            self.fail(node, f"{what} must be a whole number from {least} on.", f"Write for example {max(least, 25)}.")
        return int(digits or 0)

    def size(self, node: yaml.Node, *, what: str, least: int = 0) -> int:
        """Return a number of bytes."""
        size = self._quantity(node, what, parse_size)
        if size < least:
            self.fail(node, f"{what} must be {least} bytes or more.", "Correct the number.")
        return size

    def share(self, node: yaml.Node, *, what: str) -> float:
        """Return a share between 0 and 1, written in per cent."""
        return self._quantity(node, what, parse_share)

    def flag(self, node: yaml.Node, *, what: str) -> bool:
        """Return ``true`` or ``false``."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != BOOL_TAG:
            self.fail(node, f"{what} must be true or false.", "Write it without quotes.")
        return str(node.value).lower() in {"true", "yes", "on"}

    def _quantity(self, node: yaml.Node, what: str, parse: Callable[[str], N]) -> N:
        text = self.text(node, what=what)
        try:
            return parse(text)
        except Unreadable as error:
            self.fail(node, f"{what} {text[:40]!r} is not usable: {error.reason}.", error.fix)

    def fail(self, node: yaml.Node, problem: str, fix: str) -> NoReturn:
        """Raise PolicyInvalid for the line of ``node``."""
        self.refuse(line_of(node), problem, fix)

    def fail_with(self, node: yaml.Node, error: InvalidInput) -> NoReturn:
        """Raise PolicyInvalid for the line of ``node`` with what ``error`` says."""
        data = error.data
        self.refuse(line_of(node), f"{data['field']} {data['value']!r} is not usable: {data['problem']}.", data["fix"])

    def refuse(self, line: int, problem: str, fix: str) -> NoReturn:
        """Raise PolicyInvalid."""
        raise PolicyInvalid(source=self.source, line=line, problem=problem, fix=fix)

    def _refuse_bombs(self, text: str) -> None:
        # An alias repeats a node, and a few of them repeated repeat it a billion times; composing recurses.
        depth = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                self.refuse(line, "YAML aliases are not taken here.", "Write the value out.")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    self.refuse(line, f"it is nested deeper than {MAX_DEPTH} levels.", "Flatten it.")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1


def line_of(node: yaml.Node) -> int:
    """Return the line a node begins on, the first is 1."""
    return int(node.start_mark.line) + 1


def _json_without_tabs(text: str) -> str:
    # YAML takes JSON except for tabs between its tokens; valid JSON has raw tabs nowhere else.
    if "\t" not in text or text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")
