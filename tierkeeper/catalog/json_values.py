"""JSON of the catalog, read so that one value that Python cannot hold does not make a whole result unreadable."""

import json
from typing import Any


class UnreadableJson(dict[str, Any]):
    """Stands, empty, for JSON that cannot be read: nested too deep, or with a number of thousands of digits."""


def read_json(text: str | bytes) -> Any:  # noqa: ANN401  any JSON
    """Return the value of a ``jsonb`` column, or :class:`UnreadableJson` for it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return UnreadableJson()
