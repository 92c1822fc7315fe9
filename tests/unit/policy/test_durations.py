"""Durations, read and reckoned."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierkeeper.base.errors import InvalidInput
from tierkeeper.policy.durations import Duration
from tierkeeper_client import times


@pytest.mark.parametrize(
    ("text", "duration", "canonical"),
    [
        # as people write them
        ("7d", Duration(days=7), "7d"),
        ("0d", Duration(), "0d"),
        ("12h", Duration(seconds=43200), "12h"),
        ("90 min", Duration(seconds=5400), "90min"),
        ("45s", Duration(seconds=45), "45s"),
        ("2 weeks", Duration(days=14), "14d"),
        ("18 months", Duration(months=18), "P18M"),
        ("7 years", Duration(years=7), "P7Y"),
        # as document B writes them
        ("7_years", Duration(years=7), "P7Y"),
        ("1 Year", Duration(years=1), "P1Y"),
        # several units and parts, as in settings
        ("1d 12h", Duration(days=1, seconds=43200), "P1DT43200S"),
        ("1.5d", Duration(days=1, seconds=43200), "P1DT43200S"),
        ("1y6mo", Duration(years=1, months=6), "P1Y6M"),
        # ISO 8601
        ("P7Y", Duration(years=7), "P7Y"),
        ("P7DT", Duration(days=7), "7d"),
        ("P1Y6M", Duration(years=1, months=6), "P1Y6M"),
        ("PT1H", Duration(seconds=3600), "1h"),
        ("P2W", Duration(days=14), "14d"),
        ("P1DT2H3M4S", Duration(days=1, seconds=7384), "P1DT7384S"),
        ("P1M", Duration(months=1), "P1M"),
    ],
)
def test_parse(text: str, duration: Duration, canonical: str) -> None:
    """Human and ISO durations are read, and written in one form that reads back the same."""
    assert Duration.parse(text) == duration
    assert str(duration) == canonical
    assert Duration.parse(canonical) == duration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7", "Write 7d for days"),
        ("7m", "months or minutes"),
        ("7 fortnights", "no unit of time"),
        ("", "no length of time"),
        ("P", "no length of time"),
        ("PT", "no length of time"),
        ("-7d", "no length of time"),
        ("1.5y", "a part of a year or a month"),
        ("1500ms", "parts of a second"),
        ("0", "Write 0d for days"),
        ("\u0667d", "digits other than 0 to 9"),
        ("1001y", "longer than 1000 years"),
        ("9" * 99 + "y", "longer than 1000 years"),
        ("9" * 99 + "d", "longer than 1000 years"),
        ("9" * 400 + "y", "longer than 100 characters"),
        ("1mo 1y", "it has years after months"),
        ("1y 1year", "it has years twice"),
    ],
)
def test_refused(text: str, words: str) -> None:
    """What is no duration is refused, with the field's name and what to write."""
    with pytest.raises(InvalidInput, match=words) as caught:
        Duration.parse(text, field="undo")
    assert str(caught.value).startswith("undo ")


@pytest.mark.parametrize(
    ("begin", "text", "end"),
    [
        # calendar years, the last of February
        ("2024-02-29", "P1Y", "2025-02-28"),
        ("2024-02-29", "P4Y", "2028-02-29"),
        # calendar months, the last of the month
        ("2025-01-31", "P1M", "2025-02-28"),
        ("2025-11-30", "P3M", "2026-02-28"),
        # days are days
        ("2024-02-28", "2d", "2024-03-01"),
    ],
)
def test_after(begin: str, text: str, end: str) -> None:
    """Years and months are those of the calendar, cut to the last day of a shorter month."""
    moment = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert Duration.parse(text).after(moment) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_before() -> None:
    """A duration is taken away by the calendar too."""
    assert Duration(years=1).before(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2023, 2, 28, tzinfo=UTC)


def test_ends_of_time() -> None:
    """Beyond what the catalog takes, sums stay at the first or last moment there is."""
    thousand = Duration(years=1000)
    assert thousand.after(datetime(9999, 1, 1, tzinfo=UTC)) == times.LAST
    assert Duration(days=10).after(datetime(9999, 12, 31, tzinfo=UTC)) == times.LAST
    assert thousand.before(datetime(2, 1, 1, tzinfo=UTC)) == times.FIRST


@pytest.mark.parametrize(
    ("one", "other", "shorter", "no_longer"),
    [
        ("7d", "30d", True, True),
        # a month may be as short as 28 days, or as long as 31
        ("27d", "P1M", True, True),
        ("28d", "P1M", False, True),
        ("P1M", "31d", False, True),
        ("P1M", "32d", True, True),
        # eight years may have no leap day but one, around 2100
        ("2920d", "P8Y", True, True),
        ("2922d", "P8Y", False, False),
        ("12h", "PT12H", False, True),
        ("P12M", "P1Y", False, True),
    ],
)
def test_comparison(one: str, other: str, shorter: bool, no_longer: bool) -> None:  # noqa: FBT001  columns of the table
    """Durations are compared from every day of the calendar on."""
    assert Duration.parse(one).always_shorter(Duration.parse(other)) == shorter
    assert Duration.parse(one).never_longer(Duration.parse(other)) == no_longer


_DURATIONS = st.builds(
    Duration,
    years=st.integers(0, 20),
    months=st.integers(0, 30),
    days=st.integers(0, 800),
    seconds=st.integers(0, 2 * 86400),
)


@settings(max_examples=30, deadline=None)
@given(_DURATIONS, _DURATIONS)
def test_comparison_day_by_day(one: Duration, other: Duration) -> None:
    """The comparison is that of the ends, from each day of two leap cycles on."""
    days = [datetime(first, 1, 1, tzinfo=UTC) + timedelta(days=n) for first in (2000, 2096) for n in range(5 * 365)]
    assert one.always_shorter(other) == all(one.after(day) < other.after(day) for day in days)
    assert one.never_longer(other) == all(one.after(day) <= other.after(day) for day in days)


def test_of_timedelta() -> None:
    """A setting's timedelta becomes the same length."""
    assert Duration.of(timedelta(days=7, seconds=5, microseconds=9)) == Duration(days=7, seconds=5)


@given(
    st.builds(
        Duration,
        years=st.integers(0, 300),
        months=st.integers(0, 300),
        days=st.integers(0, 10_000),
        seconds=st.integers(0, 10**8),
    )
)
def test_round_trip(duration: Duration) -> None:
    """Every duration reads back as itself."""
    assert Duration.parse(str(duration)) == duration
