from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class MonthSegment(Base):
    """A file with a month of events that was detached."""

    __tablename__ = "segments"

    since: Mapped[datetime] = mapped_column(primary_key=True)  # the beginning of the month
    file: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]  # the beginning of the next month
    events: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes of the file
    sha256: Mapped[bytes]  # of the file
    ends: Mapped[list[str]]  # the position of each cluster's last event, the clusters in their order
    detached_at: Mapped[datetime]
    by: Mapped[str]
