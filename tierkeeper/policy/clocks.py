"""The clock from which an artifact's age counts, and the retention override in its metadata."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from tierkeeper.base.errors import InvalidInput, UnreadableClock
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import ACCESSED, CREATED, Policy
from tierkeeper_client import times

RETENTION_OVERRIDE = "retention_override"  # the metadata field of document B
_DATE_LENGTH = len("2024-05-01")


def clock_of(
    policy: Policy, *, created_at: datetime, accessed_at: datetime | None, metadata: Mapping[str, Any]
) -> datetime:
    """Return the time from which the age counts. Raises UnreadableClock if the metadata field is missing or invalid."""
    if policy.clock == CREATED:
        return created_at
    if policy.clock == ACCESSED:
        return accessed_at or created_at
    return _from_metadata(policy, metadata)


def retention_override(metadata: Mapping[str, Any]) -> Duration | None:
    """Return the metadata's least age for a purge, None if they have none. Raises InvalidInput if unreadable."""
    value = metadata.get(RETENTION_OVERRIDE)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(
            field=RETENTION_OVERRIDE, value=value, problem="it is no text", fix="Write it as '7_years', 'P7Y' or '90d'."
        )
    return Duration.parse(value, field=RETENTION_OVERRIDE)


def check_metadata(policy: Policy, metadata: Mapping[str, Any]) -> None:
    """Check at store that phases can run on the metadata. Raises UnreadableClock and InvalidInput."""
    if policy.clock_field is not None:
        _from_metadata(policy, metadata)
    retention_override(metadata)


def _from_metadata(policy: Policy, metadata: Mapping[str, Any]) -> datetime:
    field = policy.clock_field or ""
    value = metadata.get(field)
    if value is None:
        raise UnreadableClock(policy=policy.name, field=field, problem="is missing")
    if not isinstance(value, str):
        raise UnreadableClock(policy=policy.name, field=field, problem=f"is {str(value)[:40]}, not text")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise UnreadableClock(policy=policy.name, field=field, problem=f"is {value[:40]!r}, no date") from error
    if moment.tzinfo is None:
        if moment.time() != time.min or len(value) > _DATE_LENGTH:
            raise UnreadableClock(policy=policy.name, field=field, problem=f"is {value[:40]!r}, without a time zone")
        moment = moment.replace(tzinfo=UTC)
    try:
        return times.checked(moment, field=field)
    except InvalidInput as error:
        problem = f"is {value[:40]!r}: {error.data['problem']}"
        raise UnreadableClock(policy=policy.name, field=field, problem=problem) from error
