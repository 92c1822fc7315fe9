"""Runs and plans by the end of their id, as lists print it."""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support import output

LATEST: Final = 1000  # of a kind; the end of an id is looked for among them


def whole(text: str, latest: Callable[[], Iterable[UUID]], *, field: str, listing: str) -> UUID | None:
    """Return the id that ``text`` is, or is the end of among ``latest``; None if it is the end of none.

    ``listing`` is the command that prints these ids. Raises InvalidInput where ``text`` is too short, or ends several.
    """
    try:
        return UUID(text)
    except ValueError:
        matches = [each for each in latest() if str(each).endswith(text)]
    if len(text) < output.SHORT_ID or len(matches) > 1:
        raise InvalidInput(
            field=field,
            value=text,
            problem=f"it is not enough of an id to tell one {field}",
            fix=f"Write the {output.SHORT_ID} characters that `{listing}` prints, or the whole id (-o json).",
        )
    return matches[0] if matches else None
