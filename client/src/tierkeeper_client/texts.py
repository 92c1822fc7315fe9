"""Text of errors and names, as any database, log and terminal takes it."""

import re

#: NUL, which PostgreSQL's text cannot hold, and lone surrogates, which UTF-8 cannot
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
#: how Python reads the bytes of a file name that are not UTF-8: byte 0x80 as U+DC80 (PEP 383)
_BYTE = re.compile("[\udc80-\udcff]")
#: what drives a terminal, or turns the direction of what follows: C0 (but tab and line feed), DEL, C1, bidi, separators
_DRIVING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(rf"[\t\n]|{_DRIVING.pattern}")


def storable(text: str) -> str:
    r"""Return ``text`` with NUL, lone surrogates and bytes of file names that are not UTF-8 as ``\xff``, ``\ud800``."""
    return _UNSTORABLE.sub(_escape, text)


def first_line(text: str) -> str:
    """Return the first line that is not blank, empty if there is none: further ones of errors have values of users."""
    return next(iter(text.strip().splitlines()), "")


def control_in(text: str) -> str | None:
    """Return the first character that controls a terminal or the direction of text, None without one."""
    found = _CONTROL.search(text)
    return None if found is None else found[0]


def plain(text: str) -> str:
    """Return ``text`` without what drives a terminal or turns the direction of text; lines and tabs stay."""
    return _DRIVING.sub("", text)


def escaped(document: str) -> str:
    r"""Return a JSON document with what :func:`plain` drops as ``\u009b``: it stands within texts only."""
    return _DRIVING.sub(lambda found: rf"\u{ord(found[0]):04x}", document)


def one_line(text: str, *, most: int) -> str:
    """Return ``text`` as one line of at most ``most`` printable characters, the last one an ellipsis if it is cut."""
    line = " ".join("".join(c if c.isprintable() else " " for c in storable(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return rf"\u{code:04x}" if code and not _BYTE.match(found[0]) else rf"\x{code & 0xFF:02x}"
