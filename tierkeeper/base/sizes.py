"""Durations and sizes as people write them: ``7d``, ``1h30m``, ``PT90S``; ``64KiB``, ``10 MB``."""

import re
from datetime import timedelta

SECONDS_OF = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES_OF = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
}

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.IGNORECASE)
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_CALENDAR = re.compile(r"P(?=.*[YM])[^T]*[YM][^T]*(?:T.*)?|\d+\s*(?:y|years?|mo|months?)", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


class Unusable(ValueError):  # noqa: N818  what it says is the adjective of the value
    """A value that cannot be used: what is wrong, what to do, and where it is not the value's own place, its name."""

    def __init__(self, problem: str, fix: str, *, name: str | None = None) -> None:
        super().__init__(f"{problem} {fix}")
        self.problem = problem
        self.fix = fix
        self.name = name


def parse_duration(value: object) -> timedelta:
    """Return ``value`` as a duration, never negative; a plain number is seconds.

    Calendar units (years, months) are refused: their length depends on the day they begin. Raises
    :class:`Unusable`.
    """
    duration = value if isinstance(value, timedelta) else _duration(str(value).strip())
    if duration is None:
        raise Unusable(f"{value!r} is not a duration.", "Write it like 7d, 1h30m, 60s or PT10M.")
    if duration < timedelta(0):
        raise Unusable(f"{value!r} is negative.", "Write zero or more.")
    return duration


def _duration(text: str) -> timedelta | None:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return timedelta(seconds=float(text))
    if _CALENDAR.fullmatch(text):
        raise Unusable(f"{text!r} has years or months, which differ in length.", "Write it in days, such as 365d.")
    iso = _ISO.fullmatch(text)
    if iso and any(iso.groups()):
        return timedelta(seconds=sum(float(n) * SECONDS_OF[unit] for unit, n in iso.groupdict().items() if n))
    if text and not _PART.sub("", text).strip():
        return timedelta(seconds=sum(float(n) * SECONDS_OF[unit.lower()] for n, unit in _PART.findall(text)))
    return None


def parse_size(value: object) -> int:
    """Return ``value`` in bytes: a number, or one with B, KiB, MiB, GiB, TiB (1024) or kB, MB, GB, TB (1000).

    Raises :class:`Unusable`.
    """
    match = _SIZE.fullmatch(str(value).strip())
    factor = BYTES_OF.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise Unusable(f"{value!r} is not a size.", "Write it in bytes, or like 64KiB, 8MiB, 10GB.")
    size = float(match[1]) * factor
    if size != int(size):
        raise Unusable(f"{value!r} is not a whole number of bytes.", "Write it like 64KiB, 8MiB, 10GB.")
    return int(size)


def format_duration(duration: timedelta) -> str:
    """Return ``duration`` in its largest whole units: ``7d``, ``1h30m``, ``0s``."""
    rest = duration.total_seconds()
    parts = []
    for unit in ("d", "h", "m"):
        count, rest = divmod(rest, SECONDS_OF[unit])
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
