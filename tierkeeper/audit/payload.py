"""The base of all payloads: the key of the vocabulary, the two sides of a change, and their JSON form."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

from tierkeeper.audit.kinds import EventType, SubjectKind

#: metadata of a field that is omitted from the JSON if it is None; other fields become null
ABSENT: Final = MappingProxyType({"absent": True})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The state before or after a change. Its fields are the keys of the stored JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return the stored JSON: times in ISO 8601, ids and states as text, bytes in hex, sets sorted."""
        given = ((name, getattr(self, name), leave_out) for name, leave_out in keys(type(self)).items())
        return {name: _plain(value) for name, value, leave_out in given if value is not None or not leave_out}


_KEYS: dict[type[Side], Mapping[str, bool]] = {}  # called for every event


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The data of one event beyond its subject, time and actor. Each class with a ``type`` is an event type.

    The docstring of such a class is its row of ``docs/reference/events.md``.
    """

    kind: ClassVar[SubjectKind]
    type: ClassVar[EventType]

    before: Side | Mapping[str, Any] | None = None
    after: Side | Mapping[str, Any] | None = None

    def as_json(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the stored JSON of (before, after); None for a side that the event does not have."""
        return _stored(self.before), _stored(self.after)


def keys(side: type[Side]) -> Mapping[str, bool]:
    """Return the keys of a side's JSON; the value is True for a key that is omitted if None."""
    if side not in _KEYS:
        _KEYS[side] = {each.name: bool(each.metadata) for each in fields(side)}
    return _KEYS[side]


def _stored(side: Side | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return side.as_json() if isinstance(side, Side) else side


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    plain: object = value
    match value:
        case UUID() | str():
            plain = str(value)
        case datetime():
            plain = value.isoformat()
        case bytes():
            plain = value.hex()
        case frozenset() | set():
            plain = sorted(value)
        case Mapping():
            plain = {name: _plain(each) for name, each in value.items()}
        case Collection():
            plain = [_plain(each) for each in value]
    return plain
