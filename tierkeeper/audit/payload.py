"""The base of all payloads: the key of the vocabulary, the two sides of a change, and their JSON form."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.base.by_class import ByClass, as_it_is

#: metadata of a field that is omitted from the JSON if it is None; other fields become null
ABSENT: Final = MappingProxyType({"absent": True})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The state before or after a change. Its fields are the keys of the stored JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return the stored JSON: times in ISO 8601, ids and states as text, bytes in hex, sets sorted."""
        names, reads = _shape(type(self))
        return {
            name: value if type(value) in _PLAIN else _plain(value)
            for (name, leave_out), value in zip(names.items(), reads(self), strict=True)
            if value is not None or not leave_out
        }


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
    return _shape(side)[0]


def _shape(side: type[Side]) -> "_Shape":
    if side not in _SHAPES:
        names = {each.name: bool(each.metadata) for each in fields(side)}
        # of a single name, attrgetter returns the bare value
        reads = attrgetter(*names) if len(names) > 1 else lambda one: tuple(getattr(one, name) for name in names)
        _SHAPES[side] = names, reads
    return _SHAPES[side]


_Shape = tuple[Mapping[str, bool], Callable[[Side], tuple[Any, ...]]]
_SHAPES: dict[type[Side], _Shape] = {}  # each event asks for it twice


def _stored(side: Side | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return side.as_json() if isinstance(side, Side) else side


def _plain(value: object) -> object:
    return _WAYS[type(value)](value)


_WAYS: Final[ByClass[Callable[[Any], object]]] = ByClass(
    {
        UUID: str,
        str: str,
        datetime: datetime.isoformat,
        bytes: bytes.hex,
        frozenset: sorted,
        set: sorted,
        Mapping: lambda value: {name: _plain(each) for name, each in value.items()},
        Collection: lambda value: [_plain(each) for each in value],
        object: as_it_is,
    }
)
