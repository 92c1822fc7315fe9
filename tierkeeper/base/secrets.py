"""Masking of secrets: values whose name marks them as secret, and passwords in URLs."""

import re

MASK = "•••"

_SECRET_NAME = re.compile(r"(password|secret|token|access_key|credential|private|^keys$)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/?#\s@:]*:)[^/?#\s]*(?=@)")
_QUERY_SECRET = re.compile(
    r"([?&][^=&\s]*(?:password|secret|token|access_key|credential)[^=&\s]*=)[^&\s'\"]*", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Return True if the value of the setting (or option, or variable) ``name`` is never shown."""
    return _SECRET_NAME.search(name.rsplit(".", 1)[-1]) is not None


def masked(text: str) -> str:
    """Return ``text`` with the passwords and query secrets of the URLs in it masked."""
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", _URL_PASSWORD.sub(rf"\g<1>{MASK}", text))
