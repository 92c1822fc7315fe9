"""Lifecycle configurations in the shapes that people have them: each becomes the policies and the remarks beside it."""

from typing import NamedTuple

import pytest
from unit.policy.samples import TIERS

from tierkeeper.base.errors import PolicyInvalid
from tierkeeper.policy.s3.lifecycle import import_lifecycle

CLASSES = {"STANDARD_IA": "warm", "GLACIER": "cold", "DEEP_ARCHIVE": "cold"}


class Shape(NamedTuple):
    """A file, the phases of each policy by what it matches, and the words of each remark."""

    text: str
    policies: dict[str, str]
    remarks: tuple[str, ...] = ()


LOGS = {"logs/*": "0d hot, 30d warm, 365d"}
TWO = {"logs/*": "0d hot, 30d warm", "tmp/*": "0d hot, 7d"}
SHAPES = {
    "the argument of put-bucket-lifecycle-configuration": Shape(
        """{"Rules": [{"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}], "Expiration": {"Days": 365}}]}""",
        LOGS,
    ),
    "the answer of get-bucket-lifecycle-configuration": Shape(
        """{"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K",
        "Rules": [{"Expiration": {"Days": 365}, "ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled",
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}]}""",
        LOGS,
        ("objects of every size move",),
    ),
    "the argument of an SDK": Shape(
        """{"Bucket": "b", "LifecycleConfiguration": {"Rules": [{"ID": "logs", "Status": "Enabled",
        "Filter": {"Prefix": "logs/"}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
        "Expiration": {"Days": 365}}]}}""",
        LOGS,
    ),
    "the argument of an SDK with more beside the rules": Shape(
        """{"Bucket": "b", "ExpectedBucketOwner": "111122223333", "ChecksumAlgorithm": "SHA256",
        "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
        "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}]}}""",
        {"tmp/*": "0d hot, 7d"},
        ("objects of every size move",),
    ),
    "the older call, with a transition and a prefix of the rule": Shape(
        """{"Rules": [{"ID": "logs", "Prefix": "logs/", "Status": "Enabled",
        "Transition": {"Days": 30, "StorageClass": "STANDARD_IA"}, "Expiration": {"Days": 365}}]}""",
        LOGS,
    ),
    "one rule as Rule": Shape(
        '{"Rule": {"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}}', {"tmp/*": "0d hot, 7d"}
    ),
    "transitions of noncurrent versions": Shape(
        """{"Rules": [{"ID": "logs", "Prefix": "logs/", "Status": "Enabled",
        "NoncurrentVersionTransition": {"NoncurrentDays": 9, "StorageClass": "GLACIER"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}], "Expiration": {"Days": 365}}]}""",
        LOGS,
        ("NoncurrentVersionTransitions is not imported",),
    ),
    "the XML of the API": Shape(
        """<?xml version="1.0" encoding="UTF-8"?>
        <LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Rule><ID>logs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>
            <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>
            <Expiration><Days>365</Days></Expiration></Rule>
        </LifecycleConfiguration>""",
        LOGS,
    ),
    "XML with several rules, and moves": Shape(
        """<LifecycleConfiguration>
          <Rule><ID>a</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>
            <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>
            <Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>
          <Rule><ID>b</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration><Days>7</Days></Expiration></Rule>
        </LifecycleConfiguration>""",
        {"logs/*": "0d hot, 30d warm, 90d cold", "tmp/*": "0d hot, 7d"},
    ),
    "XML with an empty filter and tags": Shape(
        """<s3:LifecycleConfiguration xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">
          <s3:Rule><s3:Filter><s3:And><s3:Prefix>logs/</s3:Prefix>
            <s3:Tag><s3:Key>kind</s3:Key><s3:Value>1</s3:Value></s3:Tag>
            <s3:Tag><s3:Key>keep</s3:Key><s3:Value>no</s3:Value></s3:Tag></s3:And></s3:Filter>
            <s3:Status>Enabled</s3:Status><s3:Expiration><s3:Days>7</s3:Days></s3:Expiration></s3:Rule>
        </s3:LifecycleConfiguration>""",
        {"logs/* keep=no kind=1": "0d hot, 7d"},
    ),
    "XML that cleans up only": Shape(
        """<LifecycleConfiguration><Rule><ID>clean</ID><Filter/><Status>Enabled</Status>
        <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
        <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
        </Rule></LifecycleConfiguration>""",
        {},
        ("there are no delete markers", "abandoned uploads are collected"),
    ),
    "abandoned uploads alone": Shape(
        """{"Rules": [{"ID": "mpu", "Status": "Enabled", "Filter": {},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]}""",
        {},
        ("rule 'mpu', AbortIncompleteMultipartUpload is not imported",),
    ),
    "abandoned uploads beside an end": Shape(
        """{"Rules": [{"ID": "t", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}]}""",
        {"tmp/*": "0d hot, 7d"},
        ("rule 't', AbortIncompleteMultipartUpload is not imported",),
    ),
    "delete markers alone": Shape(
        """{"Rules": [{"ID": "m", "Status": "Enabled", "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": true}}]}""",
        {},
        ("there are no delete markers",),
    ),
    "no delete markers, beside an end": Shape(
        """{"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Days": 7, "ExpiredObjectDeleteMarker": false}}]}""",
        {"tmp/*": "0d hot, 7d"},
    ),
    "a rule that is disabled": Shape(
        """{"Rules": [{"ID": "old", "Status": "Disabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}},
        {"ID": "new", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}]}""",
        {"tmp/*": "0d hot, 7d"},
        ("rule 'old' is not imported: it is disabled",),
    ),
    "a disabled rule with what no policy can say": Shape(
        """{"Rules": [{"ID": "old", "Status": "Disabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Transitions": [{"Date": "2020-01-01", "StorageClass": "NONE"}]}]}""",
        {},
        ("rule 'old' is not imported: it is disabled",),
    ),
    "nulls of a template": Shape(
        """{"Bucket": null, "LifecycleConfiguration": {"Rules": [{"ID": "logs", "Status": "Enabled", "Prefix": null,
        "Filter": {"Prefix": "logs/", "Tag": null, "And": null}, "NoncurrentVersionExpiration": null,
        "Transitions": [null, {"Date": null, "Days": 30, "StorageClass": "STANDARD_IA"}],
        "Expiration": {"Days": 365, "Date": null, "ExpiredObjectDeleteMarker": null}}, null]}}""",
        LOGS,
    ),
    "YAML": Shape(
        """
        Rules:
          - ID: logs
            Status: Enabled
            Filter: {Prefix: logs/}
            Transitions:
              - Days: 30
                StorageClass: STANDARD_IA
            Expiration:
              Days: 365
        """,
        LOGS,
    ),
    "a byte order mark, and tabs": Shape(
        '\ufeff{"Rules":\t[{"Status": "Enabled", "Prefix": "tmp/",\t"Expiration": {"Days": 7}}]}',
        {"tmp/*": "0d hot, 7d"},
    ),
    "a narrower prefix that ends sooner": Shape(
        """{"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}},
        {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}]}""",
        {"": "0d hot, 365d", "tmp/*": "0d hot, 7d"},
    ),
    "a narrower prefix that ends later": Shape(
        """{"Rules": [{"ID": "keep", "Status": "Enabled", "Filter": {"Prefix": "logs/keep/"},
        "Expiration": {"Days": 365}},
        {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}]}""",
        {"logs/keep/*": "0d hot, 365d", "logs/*": "0d hot, 30d"},
        ("rule 'keep' lies within rule 'logs', and governs alone what it matches. S3 would also delete it after 30d",),
    ),
    "a narrower prefix without an end": Shape(
        """{"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}], "Expiration": {"Days": 365}},
        {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}]}""",
        {"": "0d hot, 60d cold, 365d", "logs/*": "0d hot, 30d warm"},
        ("S3 would also move it to cold after 60d and delete it after 365d; repeat that in rule 'logs'",),
    ),
    "a tag within a prefix": Shape(
        """{"Rules": [{"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 365}},
        {"ID": "debug", "Status": "Enabled", "Expiration": {"Days": 3},
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "level", "Value": "debug"}]}}}]}""",
        {"logs/*": "0d hot, 365d", "logs/* level=debug": "0d hot, 3d"},
    ),
    "XML whose texts look like flags and numbers": Shape(
        """<LifecycleConfiguration><Rule><ID>true</ID><Filter><And><Prefix>true</Prefix>
        <Tag><Key>temporary</Key><Value>true</Value></Tag><Tag><Key>7</Key><Value> 007</Value></Tag></And></Filter>
        <Status>Enabled</Status><Expiration><Days> 7 </Days></Expiration></Rule></LifecycleConfiguration>""",
        {"true* 7= 007 temporary=true": "0d hot, 7d"},
    ),
    "XML that was converted": Shape(
        """{"LifecycleConfiguration": {"Rule": {"ID": "7", "Status": "Enabled",
        "Filter": {"And": {"Prefix": "tmp/", "Tag": {"Key": "Days", "Value": "30"}, "ObjectSizeGreaterThan": "0"}},
        "Expiration": {"Days": "7", "ExpiredObjectDeleteMarker": "false"}}}}""",
        {"tmp/* Days=30": "0d hot, 7d"},
    ),
    "the answer of an SDK": Shape(
        """{"ResponseMetadata": {"RequestId": "X", "HTTPStatusCode": 200, "HTTPHeaders": {"Rules": "3"}},
        "Rules": [{"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}]}""",
        {"tmp/*": "0d hot, 7d"},
    ),
    "what MinIO's client lists": Shape(
        """{"status": "success", "target": "play/x", "updatedAt": "2023-05-26T23:31:54Z", "config": {"Rules": [
        {"ID": "t", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "DelMarkerExpiration": {"Days": 10},
        "Expiration": {"Days": 7, "ExpiredObjectAllVersions": true}},
        {"ID": "m", "Status": "Enabled", "Expiration": {"DeleteMarker": true}}]}}""",
        {"tmp/*": "0d hot, 7d"},
        (
            "rule 't', DelMarkerExpiration is not imported: there are no delete markers",
            "rule 't', ExpiredObjectAllVersions is not imported: each version ends at its own age",
            "rule 'm', DeleteMarker is not imported: there are no delete markers",
        ),
    ),
    "no delete markers alone": Shape(
        """{"Rules": [{"ID": "m", "Status": "Enabled", "Expiration": {"ExpiredObjectDeleteMarker": false}}]}""",
        {},
        ("rule 'm', Expiration is not imported: it asks for nothing (ExpiredObjectDeleteMarker)",),
    ),
    "two prefixes beside each other": Shape(
        """{"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
        {"ID": "b", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}]}""",
        TWO,
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_file_as_people_have_it(shape: Shape) -> None:
    """The file becomes these policies, and each remark names file, line and rule or element."""
    imported = import_lifecycle(shape.text, name="s3", source="lc", tiers=TIERS, tier_of_class=CLASSES)
    policies = {
        " ".join([p.match.name or "", *(f"{key}={value}" for key, value in p.match.tags)]).strip(): ", ".join(
            " ".join([str(phase.after), *sorted(phase.tiers)]) for phase in p.phases
        )
        for p in imported.policies
    }
    assert policies == shape.policies
    assert len(imported.remarks) == len(shape.remarks), imported.remarks
    for remark, words in zip(imported.remarks, shape.remarks, strict=True):
        assert words in remark
        assert remark.startswith("lc, line ")


def test_the_line_of_an_error_in_xml() -> None:
    """An error in XML names the line of the element, and the rule."""
    text = """<LifecycleConfiguration>
      <Rule><ID>logs</ID><Status>Enabled</Status>
        <Expiration>
          <Days>999999</Days>
        </Expiration></Rule>
    </LifecycleConfiguration>"""
    with pytest.raises(PolicyInvalid, match=r"lc, line 4: rule 'logs', Expiration, Days: 999999 days are more than"):
        import_lifecycle(text, name="s3", source="lc", tiers=TIERS, tier_of_class=CLASSES)
