from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    func,
    text,
)

from models.base import METADATA, TIMESTAMPTZ


class PlacementColumns(TypedColumns):
    """One copy of a blob in a tier, at a location that is never used again."""

    id: Named[UUID] = Column(primary_key=True)
    blob_id: Named[UUID] = Column(ForeignKey("blobs.id"))
    artifact_id: Named[UUID | None]  # the artifact whose name a readable location carries
    tier: Named[str] = Column(Text)
    location: Named[str] = Column(Text)
    state: Named[str] = Column(Text)
    token: Named[UUID | None]  # of its maker (copying) or its remover (deleting)
    lease_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    store_version: Named[str | None] = Column(Text)
    stored_size: Named[int | None] = Column(BigInteger)  # bytes as they lie in the store
    stored_sha256: Named[bytes | None] = Column(LargeBinary)
    checksum: Named[str | None] = Column(Text)  # the store's own checksum, if it has one
    cipher: Named[str | None] = Column(Text)
    wrapped_key: Named[bytes | None] = Column(LargeBinary)
    key_id: Named[str | None] = Column(Text)
    compression: Named[str | None] = Column(Text)
    lock_wanted_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    locked_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    placed_by: Named[str | None] = Column(Text)  # rule and policy version
    made_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    # why its bytes are known to be right; null: not vouched for, it does not count
    vouched: Named[str | None] = Column(Text)
    pin: Named[str | None] = Column(Text)  # names these bytes and no others: the version id, else the ETag
    # its bytes were read then, or a server's SHA-256 of the whole agreed
    verified_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    # not found once then: a suspect, which does not count until it is found
    missed_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    # a read or verify found bad bytes: never a source, never rescued
    damaged_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    doomed_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    delete_after: Named[datetime | None] = Column(TIMESTAMPTZ)
    # collect leaves it since then: the copies that stay were not seen (R21)
    unseen_since: Named[datetime | None] = Column(TIMESTAMPTZ)
    refused_since: Named[datetime | None] = Column(TIMESTAMPTZ)  # the first time its store refused to delete it
    refused_at: Named[datetime | None] = Column(TIMESTAMPTZ)  # the last time
    refusals: Named[int | None]  # how often
    refusal_code: Named[str | None] = Column(Text)  # of the last one: the error's, or the store's own
    refusal: Named[str | None] = Column(Text)  # the store's words
    pack_id: Named[UUID | None]
    pack_offset: Named[int | None] = Column(BigInteger)
    pack_length: Named[int | None] = Column(BigInteger)


PLACEMENTS: Final = Table(
    "placements",
    METADATA,
    PlacementColumns,
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
