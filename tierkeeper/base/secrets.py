"""Masking of secrets: values whose name marks them as secret, and passwords in URLs."""

import re

MASK = "•••"

_NAME = r"password|passwd|secret|token|access_key|credential|private"
_SECRET_NAME = re.compile(rf"({_NAME}|^keys$)", re.IGNORECASE)
# up to the last '@': a password may have any character, and a URL may be one that no parser accepts
_URL_PASSWORD = re.compile(r"(://(?!/)[^?#\s@:]*:)(?:(?!://)\S)*(?=@)")
_LOGIN = re.compile(r"(?P<scheme>(?>(?:[A-Za-z][A-Za-z0-9+.-]*:/{0,2}|/+)?))(?!/)(?P<login>.*)(?=@)", re.DOTALL)
_PLAIN_LOGIN = re.compile(r"(?P<user>[^/?#\s@:]*)(?P<password>:.*)?", re.DOTALL)
_NAMED_SECRET = re.compile(
    rf"((?:^|[?&;,{{(\s'\"])[^=&\s'\"]*(?:{_NAME})[^=&\s'\"]*\s?=\s?)(?:'[^']*'|\"[^\"]*\"|[^&\s'\"]*)", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Return True if the value of the setting (or option, or variable) ``name`` is never shown."""
    return _SECRET_NAME.search(name.rsplit(".", 1)[-1]) is not None


def masked(text: str) -> str:
    """Return ``text`` with the passwords and named secrets of the URLs and connection strings in it masked."""
    return _NAMED_SECRET.sub(rf"\g<1>{MASK}", _URL_PASSWORD.sub(rf"\g<1>{MASK}", text))


def masked_url(url: str) -> str:
    """Return what may be shown of a text that is one URL with a login, or was meant as one.

    Of the login the user's name stays where nothing in it can belong to the password. Without a password it is a name
    for PostgreSQL alone: for a broker some write their password there.
    """
    found = _LOGIN.match(url)
    if found is None:
        return masked(url)
    login = _PLAIN_LOGIN.fullmatch(found["login"])
    kept = MASK
    if login and login["password"]:
        kept = f"{login['user']}:{MASK}"
    elif login and found["scheme"].startswith("postgres"):
        kept = login["user"]
    return found["scheme"] + kept + masked(url[found.end() :])
