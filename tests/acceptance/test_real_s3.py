"""The whole lifecycle on a real S3 server: three buckets, three storage classes."""

import os
from datetime import timedelta
from uuid import uuid4

import boto3
import pytest
from support import services
from support.deployment import Deployment

from acceptance import journeys

pytestmark = pytest.mark.s3

CLASSES = {"hot": "STANDARD", "warm": "WARM", "cold": "COLD"}


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    """Without the server nothing else need be started."""
    services.real_s3_access()


@pytest.fixture
def tier_urls() -> dict[str, str]:
    """Every tier is a bucket of its own, fresh for the test, with a storage class of its own."""
    where = f"{services.real_s3()}&region=us-east-1"
    run = uuid4().hex[:12]
    return {
        f"TIERKEEPER_TIERS__{tier.upper()}__URL": f"s3://{tier}-{run}/tiers?{where}&class={name}"
        for tier, name in CLASSES.items()
    }


def classes(deployment: Deployment, tier: str) -> set[str]:
    """Return the storage classes of the copies in a tier's bucket, asked of the server by a client that is not ours."""
    endpoint, access_key, secret_key = services.real_s3_access()
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )
    bucket = deployment.settings.tiers[tier].url.removeprefix("s3://").partition("/")[0]
    found = client.list_objects_v2(Bucket=bucket, Prefix="tiers/cas/").get("Contents", [])
    return {str(each["StorageClass"]) for each in found}


@pytest.mark.row("W2")
@pytest.mark.row("D1", "upload, delete")
@pytest.mark.parametrize("extra_settings", [journeys.QUICK])
def test_life_on_real_s3(deployment: Deployment) -> None:
    """The whole life of an artifact, with hot, warm and cold as buckets of a real S3 server."""
    journeys.whole_life(deployment)


@pytest.mark.row("A11")
@pytest.mark.row("B1", "hot, warm, cold by age, then purged")
@pytest.mark.parametrize("extra_settings", [journeys.QUICK])
def test_ages_and_storage_classes_on_real_s3(deployment: Deployment) -> None:
    """Sweeps move each artifact to the bucket of its age, in that tier's storage class, by copies on the server."""
    ages = {"new.bin": 1, "week.bin": 8, "month.bin": 31, "quarter.bin": 91}
    sent = {name: os.urandom(100_000 + days) for name, days in ages.items()}
    for name, content in sent.items():
        deployment.store(name, content, age=timedelta(days=ages[name]))
    deployment.sweep_until(
        lambda: [len(deployment.objects(tier)) for tier in CLASSES] == [1, 1, 1],
        what="one object in each bucket",
        timeout=journeys.UNDO_SECONDS + 60,
    )
    assert {tier: classes(deployment, tier) for tier in CLASSES} == {tier: {name} for tier, name in CLASSES.items()}
    places = {name: deployment.tiers(name) for name in sent}
    assert places == {"new.bin": {"hot"}, "week.bin": {"warm"}, "month.bin": {"cold"}, "quarter.bin": set()}
    for name in ("new.bin", "week.bin", "month.bin"):
        assert deployment.read(name) == sent[name]
