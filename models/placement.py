from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Placement(Base):
    """One copy of a blob in a tier, at a location that is never used again."""

    __tablename__ = "placements"
    __table_args__ = (
        CheckConstraint("state IN ('copying', 'present', 'doomed', 'deleting')", name="state_known"),
        CheckConstraint("state NOT IN ('copying', 'deleting') OR token IS NOT NULL", name="maker_has_token"),
        CheckConstraint("state <> 'copying' OR lease_until IS NOT NULL", name="copying_has_lease"),
        CheckConstraint("state <> 'doomed' OR delete_after IS NOT NULL", name="doomed_has_delete_after"),
        CheckConstraint("state = 'copying' OR state = 'deleting' OR stored_size IS NOT NULL", name="kept_was_written"),
        CheckConstraint("vouched IN ('written', 'server', 'pinned', 'read')", name="vouched_known"),
        CheckConstraint("pin IS NULL OR vouched IS NOT NULL", name="pin_of_vouched"),
        Index("uq_placements_location", "tier", text('"right"(location, 36)'), "location", unique=True),
        Index(
            "uq_placements_present",
            "blob_id",
            "tier",
            unique=True,
            postgresql_where=text("state = 'present'"),
        ),
        Index("ix_placements_blob_id", "blob_id"),
        Index("ix_placements_doomed", "delete_after", postgresql_where=text("state = 'doomed'")),
        Index("ix_placements_leased", "lease_until", postgresql_where=text("state IN ('copying', 'deleting')")),
        Index("ix_placements_verified", "verified_at", "id", postgresql_where=text("state = 'present'")),
        Index("ix_placements_unvouched", "id", postgresql_where=text("state = 'present' AND vouched IS NULL")),
        Index("ix_placements_missed", "missed_at", "id", postgresql_where=text("missed_at IS NOT NULL")),
        Index("ix_placements_unseen", "unseen_since", postgresql_where=text("unseen_since IS NOT NULL")),
        Index("ix_placements_damaged", "damaged_at", "id", postgresql_where=text("damaged_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    blob_id: Mapped[UUID] = mapped_column(ForeignKey("blobs.id"))
    artifact_id: Mapped[UUID | None]  # the artifact whose name a readable location carries
    tier: Mapped[str]
    location: Mapped[str]
    state: Mapped[str]
    token: Mapped[UUID | None]  # of its maker (copying) or its remover (deleting)
    lease_until: Mapped[datetime | None]
    store_version: Mapped[str | None]
    stored_size: Mapped[int | None] = mapped_column(BigInteger)  # bytes as they lie in the store
    stored_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    checksum: Mapped[str | None]  # the store's own checksum, if it has one
    cipher: Mapped[str | None]
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_id: Mapped[str | None]
    compression: Mapped[str | None]
    lock_wanted_until: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    placed_by: Mapped[str | None]  # rule and policy version
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    vouched: Mapped[str | None]  # why its bytes are known to be right; null: not vouched for, it does not count
    pin: Mapped[str | None]  # names these bytes and no others: the version id, else the ETag
    verified_at: Mapped[datetime | None]  # its bytes were read then, or a server's SHA-256 of the whole agreed
    missed_at: Mapped[datetime | None]  # not found once then: a suspect, which does not count until it is found
    damaged_at: Mapped[datetime | None]  # a read or verify found bad bytes: never a source, never rescued
    doomed_at: Mapped[datetime | None]
    delete_after: Mapped[datetime | None]
    unseen_since: Mapped[datetime | None]  # collect leaves it since then: the copies that stay were not seen (R21)
    refused_since: Mapped[datetime | None]  # the first time its store refused to delete it
    refused_at: Mapped[datetime | None]  # the last time
    refusals: Mapped[int | None]  # how often
    refusal_code: Mapped[str | None]  # of the last one: the error's, or the store's own
    refusal: Mapped[str | None]  # the store's words
    pack_id: Mapped[UUID | None]
    pack_offset: Mapped[int | None] = mapped_column(BigInteger)
    pack_length: Mapped[int | None] = mapped_column(BigInteger)
