"""Remarks about an imported configuration: what S3 would do otherwise, and what is not imported as it needs no rule."""

from dataclasses import dataclass, field

import yaml

from tierkeeper.policy.nodes import line_of


@dataclass(slots=True)
class Remarks:
    """The remarks about one text, in its order; ``source`` names the text."""

    source: str
    _lines: list[tuple[int, str]] = field(default_factory=list)

    def add(self, node: yaml.Node, text: str) -> None:
        """Note a whole sentence about the line of a node."""
        self._lines.append((line_of(node), text))

    def texts(self) -> tuple[str, ...]:
        """Return the remarks by line, each with its source and line."""
        return tuple(f"{self.source}, line {line}: {text}" for line, text in sorted(self._lines))
