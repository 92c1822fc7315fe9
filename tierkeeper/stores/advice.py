"""Advice for a tier whose place is missing, or not the one that was marked: one phrase per kind of place.

`tierkeeper init` is advised only for a tier that was never marked: it creates the place and marks it.
"""

from typing import Final

FOLDER: Final = "mount it or mend its path"
BUCKET: Final = "mend its name"
DATABASE: Final = "mend its URL"
#: added where it is not known whether the tier was ever marked
NEW: Final = "only a tier that is new gets its place from `tierkeeper init`"
_KINDS: Final = {"file": FOLDER, "s3": "mend its bucket's name or its prefix"}


def of(url: str) -> str:
    """Return what an operator can do so that the tier's URL leads to its place again."""
    return _KINDS.get(url.partition(":")[0], DATABASE)
