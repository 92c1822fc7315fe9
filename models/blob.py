from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)

from models.base import METADATA


class BlobColumns(TypedColumns):
    """Content, once a dedup scope. Its row is the lock for every decision about the content (R12)."""

    id: Named[UUID] = Column(primary_key=True)
    scope: Named[str] = Column(Text)
    sha256: Named[bytes] = Column(LargeBinary)
    size: Named[int] = Column(BigInteger)  # bytes of the content


BLOBS: Final = Table(
    "blobs",
    METADATA,
    BlobColumns,
    UniqueConstraint("scope", "sha256"),
    CheckConstraint("octet_length(sha256) = 32", name="sha256_is_32_bytes"),
    CheckConstraint("size >= 0", name="size_not_negative"),
)
