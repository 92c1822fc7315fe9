"""Archive classes: an object that must be thawed before it is read or copied is requested, and ThawNeeded raised."""

import contextlib
from collections.abc import Iterator

from botocore.exceptions import ClientError

from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import ThawNeeded
from tierkeeper.stores.s3 import errors
from tierkeeper.stores.s3.place import Place

_AFTER = {
    "Expedited": "5 minutes",
    "Standard": "12 hours",
    "Bulk": "48 hours",
}  # upper bounds, by AWS


@contextlib.contextmanager
def thawing(place: Place, key: ObjectKey) -> Iterator[None]:
    """Where ``key`` is in an archive class, request its thaw and raise ThawNeeded."""
    try:
        yield
    except errors.Frozen as error:
        days, tier = place.options.thaw_days, place.options.thaw_tier
        with place.translating(key.location):
            try:
                place.client.restore_object(
                    **place.address(key.location, key.version),
                    RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": tier}},
                )
            except ClientError as refusal:
                if errors.code_of(refusal) != "RestoreAlreadyInProgress":
                    raise
        raise ThawNeeded(tier=place.tier, location=key.location, after=_AFTER[tier]) from error
