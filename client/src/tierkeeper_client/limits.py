"""The bounds of what an artifact and a message carry; workers and producers check the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: levels of a message's body; deeper, and pickling it for a child of the worker's pool could end the worker
MESSAGE_DEPTH: Final = 100
#: the largest ``depth``: around the metadata of an item of store_many are four levels, and the innermost members of
#: metadata may be empty objects and lists, which are one more
MOST_DEPTH: Final = MESSAGE_DEPTH - 5


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds, in bytes of UTF-8 unless it says otherwise; those of the workers are their settings ``limits.*``."""

    metadata: int = 64 * 1024  # as JSON
    depth: int = 32  # levels of objects and lists in the metadata; at most MOST_DEPTH
    tags: int = 100  # number
    tag_key: int = 128
    tag_value: int = 256
    reason: int = 1000  # characters
    items: int = 1000  # of one store_many; `messages.max_bytes` bounds it too


DEFAULT: Final = Bounds()
INLINE_LIMIT: Final = 64 * 1024  # bytes; the worker's setting `inline_limit` decides, this is its default


def metadata_problem(metadata: Mapping[str, Any], limits: Bounds) -> str | None:
    """Return what is too deep in the metadata, before anything recurses into them; None if nothing is."""
    level: list[Any] = [metadata]
    for _ in range(limits.depth + 1):
        level = [member for value in level for member in _members(value)]
        if not level:
            return None
    return f"it is nested deeper than {limits.depth} levels; flatten it, or store it as content"


def size_problem(metadata: Mapping[str, Any], limits: Bounds) -> str | None:
    """Return that the metadata are too large; None if they are not."""
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size <= limits.metadata:
        return None
    return f"it is {size} bytes as JSON, over the limit of {limits.metadata}; store it as content"


def tags_problem(tags: Mapping[str, str], limits: Bounds) -> str | None:
    """Return which bound the tags exceed; None if none."""
    if len(tags) > limits.tags:
        return f"there are {len(tags)} tags, over the limit of {limits.tags}; leave some out"
    for key, value in tags.items():
        for what, text, limit in (("key", key, limits.tag_key), ("value", value, limits.tag_value)):
            if (size := len(text.encode())) > limit:
                return f"the {what} of tag {key[:40]!r} is {size} bytes, over the limit of {limit}; shorten it"
    return None


def _members(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []
