"""The one grammar of durations, sizes and shares: ``7d``, ``1h30m``, ``P1Y6M``; ``64KiB``, ``10 MB``; ``5%``.

Settings, options of tiers, the command line and policies read them here. A duration always has a unit: a bare number
would be seconds to one reader and days to another. Each unit is written once, the larger ones first, so that a slip of
the pen (``1d1d``, ``1s1d``) is an error and no other length.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

LARGEST: Final = 1 << 62  # bytes: within a bigint of the catalog
LONGEST_TEXT: Final = 100  # characters; also bounds what a text from a message can cost

_HOUR = 3600
_DAY = 86400
_SECONDS_OF = {"d": _DAY, "h": _HOUR, "m": 60}
_UNITS = {
    **dict.fromkeys(("y", "year", "years"), "years"),
    **dict.fromkeys(("mo", "month", "months"), "months"),
    **dict.fromkeys(("w", "week", "weeks"), "weeks"),
    **dict.fromkeys(("d", "day", "days"), "days"),
    **dict.fromkeys(("h", "hour", "hours"), "hours"),
    **dict.fromkeys(("min", "minute", "minutes"), "minutes"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "seconds"),
    "ms": "milliseconds",
}
_ORDER = tuple(dict.fromkeys(_UNITS.values()))
_AMBIGUOUS = "m"  # months or minutes
_BYTES_OF = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_BARE = re.compile(rf"-?{_NUMBER}")
_PART = re.compile(rf"({_NUMBER})(?:\s*|_)([a-z]+)\s*")
_PARTS = re.compile(rf"(?:{_PART.pattern})+")
_ISO = re.compile(
    rf"p(?=[0-9t])(?:(?P<years>[0-9]+)y)?(?:(?P<months>[0-9]+)m)?(?:(?P<weeks>[0-9]+)w)?(?:(?P<days>[0-9]+)d)?"
    rf"(?:t(?:(?P<hours>[0-9]+)h)?(?:(?P<minutes>[0-9]+)m)?(?:(?P<seconds>{_NUMBER})s)?)?"
)
_SIZE = re.compile(rf"({_NUMBER})(?:\s*|_)([a-z]*)")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)\s*%")
_CALENDAR_EXAMPLES = "Write it as '7d', '12h', '7 years', 'P7Y' or 'P1Y6M'."
_FIXED_EXAMPLES = "Write it like 7d, 12h, 1h30m, 60s or PT10M."
_SIZE_EXAMPLES = "Write whole bytes, or a unit: '64 KiB', '10 GiB', '5 MB'."


class Unusable(ValueError):  # noqa: N818  what it says is the adjective of the value
    """A value that cannot be used: what is wrong, what to do, and where it is not the value's own place, its name."""

    def __init__(self, problem: str, fix: str, *, name: str | None = None) -> None:
        super().__init__(f"{problem} {fix}")
        self.problem = problem
        self.fix = fix
        self.name = name


class Unreadable(Unusable):
    """A text outside the grammar; ``reason`` says what is wrong, without the text and without a full stop."""

    def __init__(self, value: object, reason: str, fix: str) -> None:
        super().__init__(f"{str(value)[:40]!r} is not usable: {reason}.", fix)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Amounts:
    """The components of a duration as it was written: a month stays a month, 36 hours stay 36 hours."""

    years: int = 0
    months: int = 0
    days: Decimal = Decimal(0)
    seconds: Decimal = Decimal(0)


def parse_amounts(text: str) -> Amounts:
    """Read a duration whose years and months are those of the calendar: ``18 months``, ``7_years``, ``1d 12h``.

    ``m`` is refused, because it may be months or minutes. Raises :class:`Unreadable`.
    """
    return _amounts(text, calendar=True)


def parse_duration(value: object) -> timedelta:
    """Return ``value`` as a duration of fixed length, never negative; ``m`` is minutes.

    Years and months are refused, because their length depends on the day they begin. Raises :class:`Unusable`.
    """
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise Unreadable(value, "it is negative", "Write zero or more.")
        return value
    amounts = _amounts(str(value), calendar=False)
    if amounts.years or amounts.months:
        reason = "it has years or months, which differ in length"
        raise Unreadable(value, reason, "Write it in days, such as 365d.")
    try:
        return timedelta(microseconds=round((amounts.days * _DAY + amounts.seconds) * 1_000_000))
    except OverflowError:
        raise Unreadable(value, "it is longer than anything lasts", _FIXED_EXAMPLES) from None


def _amounts(text: str, *, calendar: bool) -> Amounts:
    examples = _CALENDAR_EXAMPLES if calendar else _FIXED_EXAMPLES
    written = _written(text, examples)
    if _BARE.fullmatch(written):
        number = written.removeprefix("-")[:20]
        raise Unreadable(text, "it has no unit", f"Write {number}d for days, {number}s for seconds. {examples}")
    if (iso := _ISO.fullmatch(written)) and any(iso.groups()):
        given = {unit: Decimal(number) for unit, number in iso.groupdict().items() if number}
    elif _PARTS.fullmatch(written):
        given = _in_words(text, _PART.findall(written), calendar=calendar, examples=examples)
    else:
        raise Unreadable(text, "it is no length of time", examples)
    amounts = dict.fromkeys(_ORDER, Decimal(0)) | given
    if any(amounts[unit] != int(amounts[unit]) for unit in ("years", "months")):
        raise Unreadable(text, "a part of a year or a month has no fixed length", "Write whole ones, or days.")
    seconds = amounts["hours"] * _HOUR + amounts["minutes"] * 60 + amounts["seconds"] + amounts["milliseconds"] / 1000
    return Amounts(int(amounts["years"]), int(amounts["months"]), amounts["weeks"] * 7 + amounts["days"], seconds)


def _written(text: str, examples: str) -> str:
    """Return ``text`` trimmed and in lower case; refuse what no grammar needs to look at."""
    if len(written := text.strip().lower()) > LONGEST_TEXT:
        raise Unreadable(text, f"it is longer than {LONGEST_TEXT} characters", examples)
    if any(letter.isdigit() and not letter.isascii() for letter in written):
        raise Unreadable(text, "it has digits other than 0 to 9", examples)
    return written


def _in_words(text: str, parts: list[tuple[str, str]], *, calendar: bool, examples: str) -> dict[str, Decimal]:
    """Return the amounts of a duration in words by the names of their units."""
    amounts: dict[str, Decimal] = {}
    for number, written in parts:
        unit = _unit(text, written, calendar=calendar, examples=examples)
        if unit in amounts:
            raise Unreadable(text, f"it has {unit} twice", f"Write each unit once. {examples}")
        if after := [larger for larger in amounts if _ORDER.index(larger) > _ORDER.index(unit)]:
            raise Unreadable(text, f"it has {unit} after {after[0]}", f"Write larger units first. {examples}")
        amounts[unit] = Decimal(number)
    return amounts


def _unit(text: str, unit: str, *, calendar: bool, examples: str) -> str:
    if unit == _AMBIGUOUS:
        if not calendar:
            return "minutes"
        reason = "'m' may be months or minutes"
    elif known := _UNITS.get(unit):
        return known
    else:
        reason = f"{unit[:20]!r} is no unit of time"
    minutes = "min" if calendar else "m"
    raise Unreadable(text, reason, f"Units are {'y, mo, ' if calendar else ''}w, d, h, {minutes}, s. {examples}")


def parse_size(value: object) -> int:
    """Return ``value`` in bytes: a number, or one with B, KiB, MiB, GiB, TiB (1024) or kB, MB, GB, TB (1000).

    Raises :class:`Unreadable`.
    """
    match = _SIZE.fullmatch(_written(str(value), _SIZE_EXAMPLES))
    factor = _BYTES_OF.get(match[2]) if match else None
    if match is None or factor is None:
        raise Unreadable(value, "it is no size", _SIZE_EXAMPLES)
    size = Decimal(match[1]) * factor
    if size > LARGEST:
        raise Unreadable(value, "it is larger than the catalog holds", f"Write at most {exact_size(LARGEST)}.")
    if size % 1:
        raise Unreadable(value, "it is no whole number of bytes", "Write it like '64 KiB', '10 GiB', '5 MB'.")
    return int(size)


def parse_share(text: str) -> float:
    """Read ``5%``, ``0.5 %``; return 0.05, 0.005. Raises :class:`Unreadable`."""
    match = _SHARE.fullmatch(text.strip())
    share = round(float(match[1]) / 100, 6) if match else 2.0
    if share > 1:
        raise Unreadable(text, "it is no share", "Write per cent from 0% to 100%, such as 5%.")
    return share


def format_duration(duration: timedelta) -> str:
    """Return ``duration`` in its largest whole units: ``7d``, ``1h30m``, ``0s``."""
    rest = duration.total_seconds()
    parts = []
    for unit, seconds in _SECONDS_OF.items():
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count:.0f}{unit}")
    if rest or not parts:
        parts.append(f"{rest:g}s")
    return "".join(parts)


def format_size(size: int) -> str:
    """Return ``size`` bytes in its largest unit of 1024 with at most one decimal: ``8 MiB``, ``1.5 GiB``, ``17 B``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004  the factor between these units
            return f"{amount:.1f}".removesuffix(".0") + f" {unit}"
        amount /= 1024
    return f"{amount:.1f}".removesuffix(".0") + " TiB"


def format_count(count: int, noun: str) -> str:
    """Return how many of what: ``1 artifact``, ``2 copies``, ``0 files``; ``noun`` is one of them."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith(("cy", "py")) else f"{count} {noun}s"


def exact_size(size: int) -> str:
    """Return ``size`` exactly, in the largest binary unit that divides it."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return str(size)


def format_share(share: float) -> str:
    """Return ``share`` in per cent."""
    return f"{share * 100:.7g}%"
