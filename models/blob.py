from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Blob(Base):
    """Content, once a dedup scope. Its row is the lock for every decision about the content (R12)."""

    __tablename__ = "blobs"
    __table_args__ = (
        UniqueConstraint("scope", "sha256"),
        CheckConstraint("octet_length(sha256) = 32", name="sha256_is_32_bytes"),
        CheckConstraint("size >= 0", name="size_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    scope: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes of the content
