"""Lists that are read page by page, until the server says that a page is the last one.

A server may find nothing for a page and still have more, as where it passes over many objects that were deleted. One
that finds nothing for page after page has no list.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.s3.place import Place

EMPTY_PAGES: Final = 100  # pages in a row without an entry, after which nothing more is requested
_ENTRIES: Final = ("Contents", "Versions", "DeleteMarkers", "Uploads")


def pages(place: Place, operation: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of a list of keys with this beginning; StoreTransient where empty ones do not end."""
    paginator: Any = place.client.get_paginator(operation)  # type: ignore[call-overload]  # one overload a literal
    empty = 0
    location = place.location(prefix)
    with place.translating(location):
        for page in paginator.paginate(Bucket=place.bucket, Prefix=prefix):
            yield page
            empty = 0 if any(page.get(name) for name in _ENTRIES) else empty + 1
            if empty == EMPTY_PAGES and page["IsTruncated"]:
                reason = (
                    f"{location or place.bucket}: {empty} pages in a row of its list are empty, and none is the last"
                )
                raise StoreTransient(tier=place.tier, reason=reason)
