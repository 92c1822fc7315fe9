"""Every payload class by its key."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from tierkeeper.audit import artifacts, catalog, messages, placements, runs
from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import Payload


def _words(module: ModuleType) -> Iterator[type[Payload]]:
    for each in vars(module).values():
        if isinstance(each, type) and issubclass(each, Payload) and "type" in vars(each):
            yield each


#: in the order of the reference
VOCABULARY: Mapping[tuple[SubjectKind, EventType], type[Payload]] = {
    (word.kind, word.type): word
    for module in (artifacts, placements, runs, messages, catalog)
    for word in _words(module)
}
