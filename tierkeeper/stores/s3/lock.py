"""Object Lock: retentions of exact versions, set and lengthened, never shortened."""

import contextlib
import datetime as dt

from botocore.exceptions import ClientError

from tierkeeper.base.clock import now, utc
from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import Garbled, LockUnsupported, StoreError
from tierkeeper.stores.s3 import errors
from tierkeeper.stores.s3.place import Place


def lock(place: Place, key: ObjectKey, *, until: dt.datetime, mode: RetentionMode) -> dt.datetime:
    """Set a retention on exactly this version, ``until`` rounded up to a second; return the time the bucket reports.

    Raises Garbled where the bucket reports none afterwards: what was requested is no proof of a lock.
    """
    if not place.lockable:
        raise LockUnsupported(tier=place.tier)
    until = utc(until)
    if until.microsecond:  # servers differ in the precision below a second
        until = until.replace(microsecond=0) + dt.timedelta(seconds=1)
    with place.translating(key.location):
        place.client.put_object_retention(
            **place.address(key.location, key.version),
            Retention={
                "Mode": "COMPLIANCE" if mode is RetentionMode.COMPLIANCE else "GOVERNANCE",
                "RetainUntilDate": until,
            },
        )
    _, held = retained(place, key)
    if held is None:
        raise Garbled(tier=place.tier, location=key.location, reason="it accepted a retention, and then tells none")
    return held


def extend(place: Place, key: ObjectKey, *, until: dt.datetime, mode: RetentionMode) -> dt.datetime:
    """Lengthen a retention; compliance mode is kept. Return the time that holds.

    Changing governance to compliance mode needs the bypass of governance, which is never used: StoreDenied.
    """
    if not place.lockable:
        raise LockUnsupported(tier=place.tier)
    held_mode, held = retained(place, key)
    stronger = mode is RetentionMode.COMPLIANCE and held_mode is RetentionMode.GOVERNANCE
    if held is None or held_mode is None:
        return lock(place, key, until=until, mode=mode)
    if held >= utc(until) and not stronger:
        return held
    return lock(place, key, until=max(utc(until), held), mode=mode if stronger else held_mode)


def retained(place: Place, key: ObjectKey) -> tuple[RetentionMode | None, dt.datetime | None]:
    """Return mode and end of this version's retention, or two None."""
    with place.translating(key.location):
        try:
            answer = place.client.get_object_retention(**place.address(key.location, key.version))
        except ClientError as error:
            if errors.code_of(error) in errors.NO_LOCK:
                return None, None
            raise
    retention = answer.get("Retention", {})
    if "RetainUntilDate" not in retention:
        return None, None
    with place.understanding(key.location):
        return RetentionMode(retention["Mode"].lower()), utc(retention["RetainUntilDate"])


def is_locked(place: Place, key: ObjectKey) -> bool:
    """Return True if a retention or a legal hold prevents deleting this version now; False where that is not known."""
    if not place.lockable:
        return False
    with contextlib.suppress(StoreError):  # without one it may still have a legal hold
        _, until = retained(place, key)
        if until is not None and until > now():
            return True
    with contextlib.suppress(StoreError), place.translating(key.location):
        hold = place.client.get_object_legal_hold(**place.address(key.location, key.version))
        return hold.get("LegalHold", {}).get("Status") == "ON"
    return False
