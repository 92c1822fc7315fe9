"""Shows the settings without their secrets."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from pydantic import BaseModel

from tierkeeper.base.quantities import format_duration

MASK = "•••"

_SECRET_NAME = re.compile(r"(password|secret|token|access_key|credential|private|^keys$)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/?#\s@:]*:)[^/?#\s]*(?=@)")
_QUERY_SECRET = re.compile(
    r"([?&][^=&\s]*(?:password|secret|token|access_key|credential)[^=&\s]*=)[^&\s'\"]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as it is in effect; ``value`` never shows a secret."""

    name: str
    value: str
    source: str
    secret: bool


def is_secret(name: str) -> bool:
    """Return whether the setting (or option, or variable) ``name`` is one whose value is never shown."""
    return _SECRET_NAME.search(name.rsplit(".", 1)[-1]) is not None


def masked(text: str) -> str:
    """Return ``text`` with the passwords of the URLs in it masked, also those in their queries."""
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", _URL_PASSWORD.sub(rf"\g<1>{MASK}", text))


def rows(settings: BaseModel, source_of: Callable[[str], str]) -> list[SettingRow]:
    """Return one row a setting, in the order of the model, and the AWS names that the process's environment has."""
    shown = [
        SettingRow(name, MASK if is_secret(name) and value is not None else masked(_text(value)), source_of(name),
                   is_secret(name))
        for name, value in _leaves(settings, "")
    ]  # fmt: skip
    for name, value in sorted(os.environ.items()):
        if name.startswith("AWS_") and value:
            shown.append(SettingRow(name, MASK if is_secret(name) else masked(value), f"env {name}", is_secret(name)))
    return shown


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    if not isinstance(value, (BaseModel, Mapping)):
        yield name, value
        return
    for key, member in value.items() if isinstance(value, Mapping) else iter(value):
        yield from _leaves(member, f"{name}.{key}" if name else str(key))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
