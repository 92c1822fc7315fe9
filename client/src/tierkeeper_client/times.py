"""The gate for times: aware, in UTC, from the year 1900 to the year 9000.

Every time that enters tierkeeper passes it, so that what is written can be read back, compared and shown in any zone.
"""

from datetime import UTC, datetime
from typing import Final

from tierkeeper_client.errors import InvalidInput

FIRST_YEAR: Final = 1900
END_YEAR: Final = 9000  # the first year beyond
FIRST: Final = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LAST: Final = datetime(END_YEAR - 1, 12, 31, 23, 59, 59, tzinfo=UTC)


def within(moment: datetime) -> bool:
    """Return True if an aware time is within the gate."""
    try:
        return FIRST_YEAR <= moment.astimezone(UTC).year < END_YEAR
    except OverflowError:  # its UTC is before the year 1, or after the year 9999
        return False


def bounded(moment: datetime) -> datetime:
    """Return a computed time, or the end of the gate that it is beyond."""
    return min(max(moment, FIRST), LAST)


def checked(moment: datetime, *, field: str) -> datetime:
    """Return an aware time in UTC; raise InvalidInput for one without a zone, or outside the gate."""
    if moment.tzinfo is None:
        problem = "it has no time zone"
        raise InvalidInput(
            field=field, value=moment.isoformat(), problem=problem, fix=f"Write it as {moment.isoformat()}Z."
        )
    if not within(moment):
        raise InvalidInput(
            field=field,
            value=moment.isoformat(),
            problem=f"it is not from the year {FIRST_YEAR} to {END_YEAR} (UTC)",
            fix="Give the real time, or leave it out.",
        )
    return moment.astimezone(UTC)
