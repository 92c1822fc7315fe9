"""The lists of a lifecycle configuration: where S3's XML and older JSON repeat an element, JSON has a list."""

from typing import Final

import yaml

from tierkeeper.policy.nodes import Reader

_LISTS: Final = {
    "Rule": "Rules",
    "Transition": "Transitions",
    "NoncurrentVersionTransition": "NoncurrentVersionTransitions",
}
_INNER: Final = ("Filter", "And")  # mappings in a rule that have a list in them


def list_of(name: str, *, within: str) -> str | None:
    """Return the list that has the elements of this name within another one; None for an element that has no list."""
    return "Tags" if (within, name) == ("And", "Tag") else _LISTS.get(name)


def with_lists(reader: Reader, node: yaml.Node, *, name: str = "") -> yaml.Node:
    """Return a mapping, the element ``name``, with lists in the place of the elements that repeat."""
    pairs = reader.pairs(node, what="the configuration")
    changed = []
    for key, (key_node, value) in pairs.items():
        plural = list_of(key, within=name)
        if plural is None:
            inner = key in _INNER and isinstance(value, yaml.MappingNode)
            changed.append((key_node, with_lists(reader, value, name=key) if inner else value))
            continue
        if plural in pairs:
            reader.fail(key_node, f"{key} stands beside {plural}.", f"Put it into {plural}.")
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        list_name = yaml.ScalarNode(key_node.tag, plural, key_node.start_mark, key_node.end_mark)
        changed.append((list_name, yaml.SequenceNode("tag:yaml.org,2002:seq", items, value.start_mark, value.end_mark)))
    return yaml.MappingNode(node.tag, changed, node.start_mark, node.end_mark)
