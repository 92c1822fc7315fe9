"""What to do where a tier's place is not there, or not the one that was marked: one sentence a kind of place.

`tierkeeper init` is named only with what it does: it makes and marks the place of a tier that was never marked.
"""

from typing import Final

FOLDER: Final = "mount it or mend its path"
BUCKET: Final = "mend its name"
DATABASE: Final = "mend its URL"
#: what is added where it is not known whether the tier was ever marked
NEW: Final = "only a tier that is new gets its place from `tierkeeper init`"
_KINDS: Final = {"file": FOLDER, "s3": "mend its bucket's name or its prefix"}


def of(url: str) -> str:
    """Return what brings the place back that a tier's URL should lead to."""
    return _KINDS.get(url.partition(":")[0], DATABASE)
