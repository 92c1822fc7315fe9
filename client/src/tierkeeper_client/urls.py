"""Parses the URLs of places (tiers, the staging area) with their options, for servers and clients alike.

A ``+`` is a plus sign, unlike in a browser's form data, because secret keys and folders contain it. A blank is ``%20``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit


class UnusableUrl(ValueError):  # noqa: N818  what it says is the adjective of the URL
    """A URL that names no place: what is wrong, without any value of an option, and what to do."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem} {fix}")
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class PlaceUrl:
    """A URL in its parts; ``path`` and the options are decoded, ``host`` is not."""

    scheme: str
    host: str
    path: str
    options: Mapping[str, str]


def parse(url: str) -> PlaceUrl:
    """Parse ``SCHEME://HOST/PATH?OPTION=VALUE&…``. Raises UnusableUrl."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UnusableUrl(f"it is no URL: {error}.", "Write it like s3://bucket/prefix?option=value.") from None
    if parts.fragment:
        raise UnusableUrl("it has a '#'.", "Write %23 where it belongs to a name or a secret.")
    return PlaceUrl(parts.scheme, parts.netloc, unquote(parts.path), _options(parts.query))


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise UnusableUrl("an option's percent codes are not UTF-8.", "Write %25 where a '%' is meant.") from None
    for name, value in pairs:
        if options.setdefault(name, value) != value:
            raise UnusableUrl(f"option {name} is given twice, with different values.", "Keep one of them.")
    return options
