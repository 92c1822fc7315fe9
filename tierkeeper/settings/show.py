"""Shows the settings without their secrets."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from pydantic import BaseModel

from tierkeeper.base.quantities import format_duration
from tierkeeper.base.secrets import MASK, is_secret, masked, masked_url

_PLACES = ("s3:", "file:")  # their URLs have no login: an '@' is of a folder or an option


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One effective setting; a secret ``value`` is masked."""

    name: str
    value: str
    source: str
    secret: bool


def rows(settings: BaseModel, source_of: Callable[[str], str]) -> list[SettingRow]:
    """Return one row per setting, in the order of the model, then the AWS variables of the process's environment."""
    listed = [
        SettingRow(name, MASK if is_secret(name) and value is not None else shown(name, _text(value)),
                   source_of(name), is_secret(name))
        for name, value in _leaves(settings, "")
    ]  # fmt: skip
    for name, value in sorted(os.environ.items()):
        if name.startswith("AWS_") and value:
            listed.append(SettingRow(name, MASK if is_secret(name) else masked(value), f"env {name}", is_secret(name)))
    return listed


def shown(name: str, text: str) -> str:
    """Return what may be shown of a setting's value that is no secret as a whole."""
    return masked_url(text) if name.endswith("url") and not text.startswith(_PLACES) else masked(text)


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
