from datetime import timedelta

import pytest

from tierkeeper.base.sizes import Unusable, format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # units
        ("7d", 7 * 86400), ("1h", 3600), ("60s", 60), ("2w", 14 * 86400), ("250ms", 0.25), ("1.5h", 5400),
        # several units, white space, capitals
        ("1h30m", 5400), ("1d 12h", 129600), ("7D", 7 * 86400),
        # plain numbers are seconds
        ("90", 90), (90, 90), (0, 0), ("0.5", 0.5),
        # ISO 8601 without calendar units
        ("P7D", 7 * 86400), ("PT1H30M", 5400), ("P1DT12H", 129600), ("P2W", 14 * 86400), ("PT90S", 90), ("PT10M", 600),
        (timedelta(seconds=5), 5),
    ],
)  # fmt: skip
def test_duration(text: object, seconds: float) -> None:
    """A duration is read in units, as seconds, or as ISO 8601."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a duration"), ("abc", "not a duration"), ("7 days", "not a duration"), ("P", "not a duration"),
        ("-5", "negative"), (timedelta(seconds=-1), "negative"),
        ("P7Y", "years or months"), ("P1M", "years or months"), ("P1Y2DT3H", "years or months"),
        ("7y", "years or months"), ("3 months", "years or months"),
    ],
)  # fmt: skip
def test_unusable_duration(text: object, problem: str) -> None:
    """What is no duration, is negative or has units of varying length is refused with the reason."""
    with pytest.raises(Unusable, match=problem):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65536), ("8 MiB", 8388608), ("1.5GiB", 1610612736), ("10GB", 10**10), ("10 kb", 10_000),
        ("17B", 17), ("17", 17), (17, 17), ("1TiB", 2**40),
    ],
)  # fmt: skip
def test_size(text: object, size: int) -> None:
    """A size is read in bytes or in units of 1024 or 1000."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KiB", "-1", "8 MiBs", "0.5", "1e3"])
def test_unusable_size(text: str) -> None:
    """What is no size, or no whole number of bytes, is refused."""
    with pytest.raises(Unusable):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (60, "1m"), (5400, "1h30m"), (7 * 86400, "7d"), (0.25, "0.25s"), (86461, "1d1m1s")]
)
def test_format_duration(seconds: float, text: str) -> None:
    """A duration is shown in its largest whole units, and reads back as itself."""
    assert format_duration(timedelta(seconds=seconds)) == text
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (8 * 2**20, "8 MiB"), (2**50, "1024 TiB")],
)
def test_format_size(size: int, text: str) -> None:
    """A size is shown in its largest unit with one decimal."""
    assert format_size(size) == text
