"""The grammar of durations, sizes and shares."""

import itertools
import time
from datetime import timedelta
from decimal import Decimal

import pytest

from tierkeeper.base.quantities import (
    Amounts,
    Unreadable,
    Unusable,
    exact_size,
    format_count,
    format_duration,
    format_size,
    parse_amounts,
    parse_duration,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # units
        ("7d", 7 * 86400), ("1h", 3600), ("60s", 60), ("2w", 14 * 86400), ("250ms", 0.25), ("1.5h", 5400), ("0s", 0),
        ("1.1h", 3960), ("90 min", 5400), ("15m", 900), ("7 days", 7 * 86400), ("2_weeks", 14 * 86400),
        # several units, white space, capitals
        ("1h30m", 5400), ("1d 12h", 129600), ("7D", 7 * 86400), (" 5M ", 300), ("1 Day 2 Hours", 93600),
        # ISO 8601 without calendar units
        ("P7D", 7 * 86400), ("PT1H30M", 5400), ("P1DT12H", 129600), ("P2W", 14 * 86400), ("PT90S", 90), ("PT10M", 600),
        ("pt1.5s", 1.5), ("P7DT", 7 * 86400), ("1w2d3h4m5s6ms", 788645.006),
        (timedelta(seconds=5), 5),
    ],
)  # fmt: skip
def test_duration(text: object, seconds: float) -> None:
    """A duration of fixed length is read in units, as words or as ISO 8601; ``m`` is minutes."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no length of time"), ("abc", "no length of time"), ("P", "no length of time"),
        ("PT", "no length of time"), ("1d-2h", "no length of time"), ("-7d", "no length of time"),
        ("7__d", "no length of time"), ("7 _d", "no length of time"), ("7_ d", "no length of time"),
        ("1d_12h", "no length of time"), ("1d, 12h", "no length of time"), ("1.d", "no length of time"),
        ("\u0667d", "digits other than 0 to 9. Write it like 7d"), ("P\uff17D", "digits other than 0 to 9"),
        ("1d1d", "it has days twice. Write each unit once."), ("1d 1day", "it has days twice"),
        ("1s1d", "it has days after seconds. Write larger units first."), ("30m 1h", "it has hours after minutes"),
        ("5ms1s", "it has seconds after milliseconds"), ("P1H", "no length of time"), ("PT1D", "no length of time"),
        ("7 fortnights", "'fortnights' is no unit of time. Units are w, d, h, m, s."),
        (timedelta(seconds=-1), "negative"),
        ("P7Y", "years or months"), ("P1M", "years or months"), ("P1Y2DT3H", "years or months"),
        ("7y", "years or months"), ("3 months", "years or months"),
        ("9" * 99 + "d", "longer than anything"), ("9" * 400 + "d", "longer than 100 characters"),
    ],
)  # fmt: skip
def test_unusable_duration(text: object, problem: str) -> None:
    """What is no duration, is negative or has units of varying length is refused with the reason."""
    with pytest.raises(Unusable, match=problem):
        parse_duration(text)


UNITS_OF = {
    timedelta(milliseconds=1): ("ms",),
    timedelta(seconds=1): ("s", "sec", "second", "seconds"),
    timedelta(minutes=1): ("min", "minute", "minutes"),
    timedelta(hours=1): ("h", "hour", "hours"),
    timedelta(days=1): ("d", "day", "days"),
    timedelta(weeks=1): ("w", "week", "weeks"),
}


@pytest.mark.parametrize("unit", list(UNITS_OF), ids=str)
@pytest.mark.parametrize("number", ["0", "7", "07", "250", "0.25", "1.5"])
def test_each_way_to_write_a_unit(number: str, unit: timedelta) -> None:
    """Every name of a unit, in any case and set apart in any way, is the same duration in both grammars."""
    length = float(number) * unit
    ways = itertools.product(UNITS_OF[unit], (str.lower, str.upper, str.title), ("", " ", "_", "  ", "\t", "\u00a0"))
    for name, case, apart in ways:
        text = f" {number}{apart}{case(name)}\n"
        amounts = parse_amounts(text)
        assert parse_duration(text) == length
        assert timedelta(days=float(amounts.days), seconds=float(amounts.seconds)) == length


@pytest.mark.parametrize(("larger", "smaller"), list(itertools.combinations(reversed(UNITS_OF), 2)), ids=str)
def test_units_stand_in_one_order(larger: timedelta, smaller: timedelta) -> None:
    """Two different units are read with the larger one first, and refused in the other order."""
    large, small = UNITS_OF[larger][-1], UNITS_OF[smaller][-1]
    for apart in ("", " ", "\n"):
        assert parse_duration(f"2{large}{apart}3{small}") == 2 * larger + 3 * smaller
        for parse in (parse_duration, parse_amounts):
            with pytest.raises(Unreadable, match="Write larger units first"):
                parse(f"3{small}{apart}2{large}")


@pytest.mark.parametrize("text", ["1" * 20_000 + "!", "1d" * 20_000, "P" + "9" * 20_000 + "Y", " " * 20_000 + "!"])
def test_a_long_text_costs_nothing(text: str) -> None:
    """A text of a message or a policy is refused at once, however long it is."""
    begun = time.process_time()
    for parse in (parse_duration, parse_amounts, parse_size):
        with pytest.raises(Unreadable):
            parse(text)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("value", ["7", " 7 ", "7.5", "-7", 7, 0, 0.5, "0"])
def test_no_unit(value: object) -> None:
    """A duration without a unit is refused, zero too, and the error says how to write it."""
    number = str(value).strip().removeprefix("-")
    with pytest.raises(Unreadable, match=f"it has no unit. Write {number}d for days, {number}s for seconds."):
        parse_duration(value)
    with pytest.raises(Unreadable, match=f"it has no unit. Write {number}d for days, {number}s for seconds."):
        parse_amounts(str(value))


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("18 months", Amounts(months=18)),
        ("1y 6mo", Amounts(years=1, months=6)),
        ("P1Y6M2DT1H", Amounts(years=1, months=6, days=Decimal(2), seconds=Decimal(3600))),
        ("36h", Amounts(seconds=Decimal(129600))),
        ("1.5d", Amounts(days=Decimal("1.5"))),
    ],
)
def test_amounts(text: str, amounts: Amounts) -> None:
    """A calendar duration keeps the units it was written in."""
    assert parse_amounts(text) == amounts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("6m", "'m' may be months or minutes"),
        ("1h30m", "'m' may be months or minutes"),
        ("0.5y", "a part of a year"),
        ("1.5mo", "a part of a year or a month"),
    ],
)
def test_amounts_refused(text: str, problem: str) -> None:
    """Where months are taken, ``m`` is refused, and so is a part of what differs in length."""
    with pytest.raises(Unreadable, match=problem):
        parse_amounts(text)


@pytest.mark.parametrize(
    ("text", "size", "exact"),
    [
        ("64KiB", 65536, "64 KiB"), ("8 MiB", 8388608, "8 MiB"), ("1.5GiB", 1610612736, "1536 MiB"),
        ("10GB", 10**10, "9765625 KiB"), ("10 kb", 10_000, "10000"), ("17B", 17, "17"), ("17", 17, "17"),
        (17, 17, "17"), ("1TiB", 2**40, "1 TiB"), ("0", 0, "0"), ("10_GiB", 10 << 30, "10 GiB"),
        (1 << 62, 1 << 62, "4194304 TiB"),
    ],
)  # fmt: skip
def test_size(text: object, size: int, exact: str) -> None:
    """A size is read in bytes or in units of 1024 or 1000, and written exactly."""
    assert parse_size(text) == size
    assert exact_size(size) == exact


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no size"), ("KiB", "no size"), ("-1", "no size"), ("8 MiBs", "no size"), ("1e3", "no size"),
        ("10 XB", "no size"), ("8__MiB", "no size"), ("8 _MiB", "no size"),
        ("9" * 18 + " TiB", "larger than the catalog holds. Write at most 4194304 TiB."),
        ((1 << 62) + 1, "larger than the catalog holds"), ("9" * 100, "larger than the catalog holds"),
        ("9" * 6000, "longer than 100 characters"), ("\u0667", "digits other than 0 to 9"),
        ("0.5", "no whole number of bytes"), ("0.0001 KiB", "no whole number of bytes"),
    ],
)  # fmt: skip
def test_unusable_size(text: object, problem: str) -> None:
    """What is no size, no whole number of bytes, or more than the catalog holds is refused."""
    with pytest.raises(Unreadable, match=problem):
        parse_size(text)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.5 %", 0.005), ("100%", 1.0), ("0%", 0.0)])
def test_share(text: str, share: float) -> None:
    """A share is read in per cent."""
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["", "5", "101%", "-1%", "0.05"])
def test_unusable_share(text: str) -> None:
    """What is no per cent from 0 to 100 is refused."""
    with pytest.raises(Unreadable, match="it is no share"):
        parse_share(text)


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


def test_counts_have_the_number_of_their_noun() -> None:
    """One of it, or more, or none."""
    told = [format_count(count, noun) for noun in ("file", "copy", "policy", "earlier file") for count in (0, 1, 2)]
    assert told[:6] == ["0 files", "1 file", "2 files", "0 copies", "1 copy", "2 copies"]
    assert told[6:] == ["0 policies", "1 policy", "2 policies", "0 earlier files", "1 earlier file", "2 earlier files"]
