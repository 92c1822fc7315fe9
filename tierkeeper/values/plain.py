"""Converts any value to its JSON form."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

#: types whose values are their own JSON form
_JSON: Final = frozenset({str, int, float, bool, type(None)})
#: what makes the JSON form of a type's values, looked for once: for each value it would cost more than the rest
_forms: dict[type, Callable[[Any], Any]] = {}


def plain(value: Any) -> Any:  # noqa: ANN401  it maps any value to its JSON form
    """Return ``value`` with dataclasses, enums, UUIDs, times and bytes as JSON-ready values."""
    kind = type(value)
    if kind in _JSON:
        return value
    if kind not in _forms:
        _forms[kind] = _form(kind)
    return _forms[kind](value)


def _form(kind: type) -> Callable[[Any], Any]:  # noqa: PLR0911  a line a kind
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return lambda value: {name: plain(getattr(value, name)) for name in names}
    if issubclass(kind, Mapping):
        return lambda value: {str(k): plain(v) for k, v in value.items()}
    if issubclass(kind, (set, frozenset)):
        return lambda value: [plain(v) for v in sorted(value)]
    if issubclass(kind, (list, tuple)):
        return lambda value: [plain(v) for v in value]
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, datetime):
        return datetime.isoformat
    if issubclass(kind, timedelta):
        return timedelta.total_seconds
    if issubclass(kind, bytes):
        return bytes.hex
    if issubclass(kind, UUID):
        return str
    return lambda value: value
