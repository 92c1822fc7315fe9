"""Checks the URLs of services: every library has to read one alike, and it has to be masked with certainty.

A password with a raw ``/``, ``?``, ``#`` or ``@`` moves the parts of a URL: one library reads a port of it, another a
folder, and what is printed shows it. Such a URL is refused at the start, and so is one whose database, or whose way of
checking certificates, Celery's libraries could not read. No error shows a value of the URL.
"""

import re
from collections.abc import Sequence
from typing import Final, NoReturn
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from tierkeeper_client.urls import UnusableUrl

_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SERVER: Final = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(?P<port>.*))?")
_OPTION: Final = re.compile(r"[A-Za-z0-9_.-]+=.*")
_ENCODE: Final = "In a user's name or password, write / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25."
_PORTS: Final = range(1, 2**16)
POSTGRES: Final = ("postgresql", "postgres", "postgresql+psycopg")
BROKERS: Final = ("redis", "rediss", "redis+socket", "amqp", "amqps", "pyamqp")
RESULTS: Final = BROKERS[:3]
_DATABASE: Final = re.compile(r"/*[0-9]*")
_CERTIFICATES: Final = ("required", "optional", "none", "CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE")


def check(url: str, *, schemes: Sequence[str]) -> None:
    """Raise UnusableUrl for a URL of no scheme in ``schemes``, or one whose parts are in doubt."""
    scheme, _, rest = url.partition(":")
    if scheme not in schemes:
        raise UnusableUrl("the URL's scheme is not one that works here.", f"Begin it with {', '.join(schemes)}.")
    if not url.isprintable() or " " in url:
        _refuse("it has a blank or a control character", f"Write a blank as %20. {_ENCODE}")
    if rest and not rest.startswith("//"):
        _refuse(f"{scheme}: is not followed by //", f"Write {scheme}://HOST.")
    if "#" in url:
        _refuse("it has a '#'")
    if _PERCENT.search(url):
        _refuse("a '%' is not followed by two hexadecimal digits")
    _check_place(url, results=schemes == RESULTS)


def _check_place(url: str, *, results: bool) -> None:
    scheme, _, rest = url.partition(":")
    if scheme == "redis+socket":  # has no login; its folder may have an '@' in its name
        if not rest.startswith("///"):
            _refuse("it names no socket", "Write redis+socket:///FOLDER/SOCKET, with three slashes.")
        _check_database(parse_qs(rest.partition("?")[2]).get("virtual_host", ["0"])[-1])
    elif scheme in POSTGRES:
        _check_parts(url)
    else:
        for each in [url] if results else url.split(";"):  # kombu's way to name several brokers
            _check_parts(each)
            if scheme in {"redis", "rediss"}:
                _check_redis(_split(each), results=results)


def _check_parts(url: str) -> None:
    parts = _split(url)
    if parts.netloc.count("@") > 1 or (parts.netloc and "@" in parts.path + parts.query):
        _refuse("an '@' is not where a URL has one")
    for each in parts.netloc.rpartition("@")[2].split(","):
        server = _SERVER.fullmatch(each)
        if server is None:
            _refuse("its host cannot be read", "Write an IPv6 address in brackets: [::1].")
        port = server["port"]
        if port is not None and not (port.isascii() and port.isdecimal() and int(port[:6]) in _PORTS):
            _refuse("its port is not a number from 1 to 65535")
    if not all(_OPTION.fullmatch(option) for option in filter(None, parts.query.split("&"))):
        _refuse("an option behind its '?' is not NAME=VALUE")


def _check_redis(parts: SplitResult, *, results: bool) -> None:
    _check_database(unquote(parts.path))
    options = parse_qs(parts.query)
    for found in options.get("ssl_cert_reqs", []):
        if found not in _CERTIFICATES:
            _refuse("its ssl_cert_reqs is not known", f"Write one of {', '.join(_CERTIFICATES[:3])}.")
    if not results:
        return
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in options:  # Celery's own demand
        _refuse("it does not say how certificates are checked", "Write ?ssl_cert_reqs=required behind it.")
    if parts.scheme == "redis" and any(name.startswith("ssl_") for name in options):
        _refuse("it has options of TLS, which redis:// does not use", "Begin it with rediss://.")


def _check_database(text: str) -> None:
    if not _DATABASE.fullmatch(text):
        _refuse("its database is not a number", "Write the number of the database, such as 0, or nothing for it.")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        _refuse("its host cannot be read", "Write an IPv6 address in brackets: [::1].")


def _refuse(problem: str, fix: str = _ENCODE) -> NoReturn:
    raise UnusableUrl(f"{problem}.", fix)
