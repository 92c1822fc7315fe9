"""Durations with calendar years and months; their grammar is that of ``tierkeeper.base.quantities``."""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NoReturn

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.quantities import Unreadable, parse_amounts
from tierkeeper_client import times

MAX_YEARS = 1000  # a longer one is a typing error; the limit also keeps sums within a datetime's range

_MONTHS = 12
_HOUR = 3600
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time. Years and months are calendar ones: 29 February plus a year is 28 February."""

    years: int = 0
    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str, *, field: str = "duration") -> "Duration":
        """Parse ``7d``, ``1d 12h``, ``7_years``, ``P1Y6M``, in whole seconds. Raises InvalidInput naming ``field``."""
        return _parse(text, field)

    @classmethod
    def of(cls, length: timedelta) -> "Duration":
        """Return ``length`` as a duration; parts of a second are dropped."""
        return cls(days=length.days, seconds=length.seconds)

    def after(self, moment: datetime) -> datetime:
        """Return ``moment`` plus this duration, at most the last time that the catalog takes."""
        try:
            return min(self._shift(moment, 1), times.LAST)
        except (OverflowError, ValueError):
            return times.LAST

    def before(self, moment: datetime) -> datetime:
        """Return ``moment`` minus this duration, at least the first time that the catalog takes."""
        try:
            return max(self._shift(moment, -1), times.FIRST)
        except (OverflowError, ValueError):
            return times.FIRST

    def always_shorter(self, other: "Duration") -> bool:
        """Return True if this ends before ``other`` whatever day both begin on (P1M against 30d: False)."""
        return self._most_beyond(other) < 0

    def never_longer(self, other: "Duration") -> bool:
        """Return True if this ends no later than ``other`` whatever day both begin on."""
        return self._most_beyond(other) <= 0

    def __str__(self) -> str:
        if not (self.years or self.months):
            if not self.seconds:
                return f"{self.days}d"
            if not self.days:
                return _clock_text(self.seconds)
        date = "".join(f"{n}{u}" for n, u in ((self.years, "Y"), (self.months, "M"), (self.days, "D")) if n)
        return f"P{date}" + (f"T{self.seconds}S" if self.seconds else "")

    def _most_beyond(self, other: "Duration") -> int:
        """Return the most seconds by which this ends after ``other``, over the days that both may begin on."""
        months, others = (each.years * _MONTHS + each.months for each in (self, other))
        days = _most_days_beyond(months, others) + self.days - other.days
        return days * _DAY + self.seconds - other.seconds

    def _shift(self, moment: datetime, sign: int) -> datetime:
        if self.years or self.months:
            count = moment.year * _MONTHS + moment.month - 1 + sign * (self.years * _MONTHS + self.months)
            year, month = divmod(count, _MONTHS)
            last = calendar.monthrange(year, month + 1)[1]
            moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
        return moment + sign * timedelta(days=self.days, seconds=self.seconds)


def _clock_text(seconds: int) -> str:
    if seconds % _HOUR == 0:
        return f"{seconds // _HOUR}h"
    return f"{seconds // 60}min" if seconds % 60 == 0 else f"{seconds}s"


@lru_cache(maxsize=1)
def _reference_days() -> tuple[datetime, ...]:
    # Every day of a leap cycle, and of the eight years without a leap day around 2100: all lengths that a number
    # of months or years can have.
    spans = ((2000, 2004), (2096, 2101))
    return tuple(
        datetime(first, 1, 1, tzinfo=UTC) + timedelta(days=day)
        for first, last in spans
        for day in range((datetime(last, 1, 1, tzinfo=UTC) - datetime(first, 1, 1, tzinfo=UTC)).days)
    )


@lru_cache(maxsize=1024)
def _most_days_beyond(months: int, others: int) -> int:
    if months == others:  # most policies count in days: no calendar is asked
        return 0
    one, other = Duration(months=months), Duration(months=others)
    return max((one.after(day) - other.after(day)).days for day in _reference_days())


@lru_cache(maxsize=1024)
def _parse(text: str, field: str) -> Duration:
    try:
        read = parse_amounts(text)
    except Unreadable as error:
        _refuse(text, field, error.reason, error.fix)
    days = int(read.days)
    seconds = (read.days - days) * _DAY + read.seconds
    if read.years + read.months / _MONTHS + float(read.days + read.seconds / _DAY) / 365 > MAX_YEARS:
        _refuse(text, field, f"it is longer than {MAX_YEARS} years", "To keep something for good, leave the rule out.")
    if seconds != int(seconds):
        _refuse(text, field, "it has parts of a second", "Write whole seconds.")
    return Duration(read.years, read.months, days, int(seconds))


def _refuse(text: str, field: str, problem: str, fix: str) -> NoReturn:
    raise InvalidInput(field=field, value=text[:40], problem=problem, fix=fix)
