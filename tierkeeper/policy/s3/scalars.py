"""The numbers and flags of a lifecycle configuration, known by their elements.

In XML everything is text, and what converts XML into JSON leaves numbers as text too; so a tag's value ``true``, or an
ID of digits, is told from a flag or a number by the element alone.
"""

import re
from typing import Final

import yaml

from tierkeeper.policy.nodes import BOOL_TAG, INT_TAG, STR_TAG

_NUMBERS: Final = frozenset(
    {
        "Days",
        "DaysAfterInitiation",
        "NewerNoncurrentVersions",
        "NoncurrentDays",
        "ObjectSizeGreaterThan",
        "ObjectSizeLessThan",
    }
)
_FLAGS: Final = frozenset({"DeleteMarker", "ExpiredObjectAllVersions", "ExpiredObjectDeleteMarker"})
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_FLAG: Final = re.compile("true|false")


def typed(node: yaml.Node, *, name: str = "") -> yaml.Node:
    """Return a node, the element ``name``, in which the numbers and flags that are written as text are such."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, typed(value, name=str(key.value))) for key, value in node.value]
        return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [typed(item) for item in node.value], node.start_mark, node.end_mark)
    if node.tag == STR_TAG:
        text = str(node.value).strip()
        if name in _NUMBERS and _NUMBER.fullmatch(text):
            return yaml.ScalarNode(INT_TAG, text, node.start_mark, node.end_mark)
        if name in _FLAGS and _FLAG.fullmatch(text):
            return yaml.ScalarNode(BOOL_TAG, text, node.start_mark, node.end_mark)
    return node
