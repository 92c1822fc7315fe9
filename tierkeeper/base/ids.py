"""Keys: UUIDv7, so that rows stored together lie together."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a fresh UUIDv7 (RFC 9562), ordered by time."""
    return uuid7()
