import mimetypes
from functools import lru_cache


def guess_type(name: str) -> str:
    """Return the content type that the name's ending suggests."""
    _stem, dot, ending = name.rpartition("/")[2].lstrip(".").partition(".")
    return _of_ending(dot + ending)


@lru_cache(maxsize=1024)
def _of_ending(ending: str) -> str:
    return mimetypes.guess_type(f"name{ending}", strict=False)[0] or "application/octet-stream"
