"""The forms in which people have a lifecycle configuration, as one: the nodes of its rules, without nulls.

Taken are the JSON (or YAML) of ``aws s3api put-bucket-lifecycle-configuration`` and of its answer's counterpart, S3's
XML, the argument of an SDK (``{"Bucket": …, "LifecycleConfiguration": …}``), the older singular ``Rule``,
``Transition`` and ``NoncurrentVersionTransition``, and the nulls that templates leave where nothing was given.
"""

from typing import Final

import yaml

from tierkeeper.policy.nodes import NULL_TAG, Reader
from tierkeeper.policy.s3 import xml_nodes
from tierkeeper.policy.s3.lists import with_lists
from tierkeeper.policy.s3.remarks import Remarks

MOST_BYTES: Final = 1024 * 1024  # as many rules, with tags, indented
MOST_RULES: Final = 1000
_WRAPPED: Final = "LifecycleConfiguration"
_BESIDE: Final = ("Bucket", "ChecksumAlgorithm", "ExpectedBucketOwner")  # of an SDK's argument; not about the rules
_LEAST_SIZE: Final = "TransitionDefaultMinimumObjectSize"


def rule_nodes(reader: Reader, text: str, remarks: Remarks) -> list[yaml.Node]:
    """Return the node of each rule. Raises PolicyInvalid where the text is no lifecycle configuration."""
    root = _without_nulls(_root(reader, text))
    fields = reader.pairs(root, what="the configuration")
    if _WRAPPED in fields:
        outer = reader.fields(root, what="the argument", known=(_WRAPPED, _LEAST_SIZE, *_BESIDE))
        _note_least_size(outer, remarks)
        root = outer[_WRAPPED]
    known = ("Rules", _LEAST_SIZE)
    configuration = reader.fields(with_lists(reader, root), what="the configuration", known=known, needed=("Rules",))
    _note_least_size(configuration, remarks)
    rules = configuration["Rules"]
    nodes = reader.items(rules, what="Rules")
    if not nodes:
        reader.fail(rules, "there is no rule.", "Import a configuration with at least one.")
    if len(nodes) > MOST_RULES:
        reader.fail(rules, f"there are {len(nodes)} rules; S3 takes {MOST_RULES}.", "Join those that say the same.")
    return [with_lists(reader, node) for node in nodes]


def _root(reader: Reader, text: str) -> yaml.Node:
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<"):
        reader.check_length(text)
        return xml_nodes.parse(reader, text)
    documents = reader.documents(text)
    if len(documents) > 1:
        reader.fail(documents[1], "there is more than one configuration.", "Import them one by one.")
    return documents[0]


def _without_nulls(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, _without_nulls(value)) for key, value in node.value if value.tag != NULL_TAG]
        return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
    if isinstance(node, yaml.SequenceNode):
        items = [_without_nulls(item) for item in node.value if item.tag != NULL_TAG]
        return yaml.SequenceNode(node.tag, items, node.start_mark, node.end_mark)
    return node


def _note_least_size(fields: dict[str, yaml.Node], remarks: Remarks) -> None:
    if _LEAST_SIZE in fields:
        remarks.add(
            fields[_LEAST_SIZE],
            f"{_LEAST_SIZE} is not imported: objects of every size move. A Filter with ObjectSizeGreaterThan keeps"
            " small ones where they are.",
        )
