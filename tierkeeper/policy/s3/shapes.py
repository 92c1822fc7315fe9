"""The forms in which people have a lifecycle configuration, as one: the nodes of its rules, without nulls.

Taken are the JSON (or YAML) of ``aws s3api put-bucket-lifecycle-configuration`` and of its answer's counterpart, S3's
XML, the argument of an SDK (``{"Bucket": …, "LifecycleConfiguration": …}``) and its answer, what MinIO's ``mc`` lists,
the older singular ``Rule``, ``Transition`` and ``NoncurrentVersionTransition``, and the nulls that templates leave
where nothing was given.
"""

from typing import Final

import yaml

from tierkeeper.policy.nodes import NULL_TAG, Reader
from tierkeeper.policy.s3 import xml_nodes
from tierkeeper.policy.s3.foreign import FORMS, RULE_FORMS, refuse_foreign
from tierkeeper.policy.s3.lists import with_lists
from tierkeeper.policy.s3.remarks import Remarks
from tierkeeper.policy.s3.scalars import typed

MOST_BYTES: Final = 1024 * 1024  # as many rules, with tags, indented
MOST_RULES: Final = 1000
#: what has the configuration in it, and what stands beside it that is not about the rules
_WRAPPED: Final = {
    "LifecycleConfiguration": ("Bucket", "ChecksumAlgorithm", "ExpectedBucketOwner"),  # an SDK's argument
    "config": ("status", "target", "updatedAt"),  # `mc ilm rule ls --json`
}
_ANSWER: Final = "ResponseMetadata"  # of an SDK's answer; not about the rules
_LEAST_SIZE: Final = "TransitionDefaultMinimumObjectSize"


def rule_nodes(reader: Reader, text: str, remarks: Remarks) -> list[yaml.Node]:
    """Return the node of each rule. Raises PolicyInvalid where the text is no lifecycle configuration."""
    root = typed(_without_nulls(_root(reader, text)))
    fields = reader.pairs(root, what="the configuration")
    for wrapper, beside in _WRAPPED.items():
        if wrapper in fields:
            outer = reader.fields(root, what="the argument", known=(wrapper, _LEAST_SIZE, *beside))
            _note_least_size(outer, remarks)
            root = outer[wrapper]
    refuse_foreign(reader, root, forms=FORMS)
    known = ("Rules", _LEAST_SIZE, _ANSWER)
    configuration = reader.fields(with_lists(reader, root), what="the configuration", known=known, needed=("Rules",))
    _note_least_size(configuration, remarks)
    rules = configuration["Rules"]
    nodes = reader.items(rules, what="Rules")
    if not nodes:
        reader.fail(rules, "there is no rule.", "Import a configuration with at least one.")
    if len(nodes) > MOST_RULES:
        reader.fail(rules, f"there are {len(nodes)} rules; S3 takes {MOST_RULES}.", "Join those that say the same.")
    for node in nodes:
        refuse_foreign(reader, node, forms=RULE_FORMS)
    return [with_lists(reader, node) for node in nodes]


def _root(reader: Reader, text: str) -> yaml.Node:
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<"):
        reader.check_length(text)
        return xml_nodes.parse(reader, text)
    documents = reader.documents(text, needed="Give a lifecycle configuration with at least one rule.")
    refuse_foreign(reader, documents[0], forms=FORMS)
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
