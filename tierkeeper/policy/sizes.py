"""Sizes in bytes and shares in per cent, as people write them."""

import re

from tierkeeper.base.errors import InvalidInput

_UNITS = {
    "": 1,
    "B": 1,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
    "TIB": 1 << 40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_SIZE = re.compile(r"([0-9]{1,18})[ _]?([A-Za-z]*)")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)[ ]?%")
_LARGEST = 1 << 62  # what a bigint holds, and some


def parse_size(text: str, *, field: str) -> int:
    """Read ``10 GiB``, ``64KiB``, ``5 MB``, ``0``; return bytes. Raises InvalidInput naming ``field``."""
    found = _SIZE.fullmatch(text.strip())
    factor = _UNITS.get(found[2].upper()) if found else None
    if found is None or factor is None or int(found[1]) * factor > _LARGEST:
        raise InvalidInput(
            field=field,
            value=text[:40],
            problem="it is no size",
            fix="Write whole bytes, or a unit: '64 KiB', '10 GiB', '5 MB'.",
        )
    return int(found[1]) * factor


def size_text(size: int) -> str:
    """Return ``size`` exactly, in the largest binary unit that divides it."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return str(size)


def parse_share(text: str, *, field: str) -> float:
    """Read ``5%``, ``0.5 %``; return 0.05, 0.005. Raises InvalidInput naming ``field``."""
    found = _SHARE.fullmatch(text.strip())
    share = round(float(found[1]) / 100, 6) if found else 2.0
    if share > 1:
        raise InvalidInput(
            field=field, value=text[:40], problem="it is no share", fix="Write per cent from 0% to 100%, such as 5%."
        )
    return share


def share_text(share: float) -> str:
    """Return ``share`` in per cent."""
    return f"{share * 100:.7g}%"
