"""Lifecycle rules in forms that are not S3's, named by what only they have in them."""

from collections.abc import Mapping
from typing import Final

import yaml

from tierkeeper.policy.nodes import Reader

#: keys at the top, by whose form has them
FORMS: Final[Mapping[str, frozenset[str]]] = {
    "Cloudflare R2": frozenset({"rules"}),
    "Google Cloud Storage": frozenset({"lifecycle"}),
    "Terraform": frozenset({"rule"}),
    "Backblaze B2": frozenset({"daysFromHidingToDeleting", "daysFromUploadingToHiding", "fileNamePrefix"}),
    "radosgw-admin": frozenset({"prefix_map", "rule_map"}),
    "CloudFormation": frozenset({"Properties", "Resources", "AWSTemplateFormatVersion"}),
    "an error that S3 answered": frozenset({"Code"}),
}
#: keys of a rule
RULE_FORMS: Final[Mapping[str, frozenset[str]]] = {
    "CloudFormation": frozenset({"Id", "ExpirationDate", "ExpirationInDays", "TagFilters"}),
}


def refuse_foreign(reader: Reader, node: yaml.Node, *, forms: Mapping[str, frozenset[str]]) -> None:
    """Raise PolicyInvalid for a mapping with a key of one of the forms, which it names."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, _ in node.value:
        whose = next((whose for whose, keys in forms.items() if str(key.value) in keys), None)
        if whose is not None:
            reader.fail(
                key,
                f"{str(key.value)!r} is of the form of {whose}, not of S3's.",
                "Give what `aws s3api get-bucket-lifecycle-configuration` prints, asked of the service's S3 endpoint.",
            )
