"""Text of errors and names, as any database, log and terminal takes it."""

import re

#: NUL, which PostgreSQL's text cannot hold, and lone surrogates, which UTF-8 cannot
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
#: how Python reads the bytes of a file name that are not UTF-8: byte 0x80 as U+DC80 (PEP 383)
_BYTE = re.compile("[\udc80-\udcff]")


def storable(text: str) -> str:
    r"""Return ``text`` with NUL, lone surrogates and bytes of file names that are not UTF-8 as ``\xff``, ``\ud800``."""
    return _UNSTORABLE.sub(_escape, text)


def first_line(text: str) -> str:
    """Return the first line that is not blank, empty if there is none: further ones of errors have values of users."""
    return next(iter(text.strip().splitlines()), "")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return rf"\u{code:04x}" if code and not _BYTE.match(found[0]) else rf"\x{code & 0xFF:02x}"
