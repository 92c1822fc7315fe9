from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
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
    UniqueConstraint,
    func,
    text,
)

from models.base import JSON_OBJECT, METADATA, TEXTS, TIMESTAMPTZ
from tierkeeper_client.times import END_YEAR, FIRST_YEAR

#: the columns with times
ARTIFACT_TIMES: Final = (
    "created_at",
    "stored_at",
    "accessed_at",
    "deleted_at",
    "purged_at",
    "purge_at",
    "retain_until",
    "override_until",
    "not_before",
)
#: the gate for these: the first time, and the first beyond
FIRST_TIME: Final = f"timestamptz '{FIRST_YEAR}-01-01Z'"
END_OF_TIME: Final = f"timestamptz '{END_YEAR}-01-01Z'"
#: levels of lists and objects of JSON that are read: what Python itself reads depends on its version and its stack
DEEPEST: Final = 500
#: digits of a number of JSON that are read, before its point: those of Python's own limit
DIGITS: Final = 4300
#: characters of JSON within which no value has more of either
SHORT: Final = 900


def overfull(column: str) -> str:
    """Return, of a column with JSON: it is nested deeper, or has a longer number, than the catalog reads."""
    return f"""
        CASE WHEN length({column}::text) > {SHORT} THEN
            jsonb_path_exists({column}, 'strict $.**{{{DEEPEST}}}')
            OR jsonb_path_exists({column}, 'strict $.**{{0 to {DEEPEST}}} ? (@ >= 1e{DIGITS} || @ <= -1e{DIGITS})')
        ELSE false END
    """


#: what breaks the gate; it is NOT VALID until `maintain` finds no older row of the kind
UNREADABLE_ARTIFACT: Final = " OR ".join(
    [
        f"(jsonb_typeof(metadata) <> 'object' OR {overfull('metadata')})",
        # silent: of tags that are no object
        """(
            jsonb_typeof(tags) <> 'object'
            OR jsonb_path_exists(tags, 'strict $.* ? (@.type() <> "string")', '{}', true)
        )""",
        *(f"({name} < {FIRST_TIME} OR {name} >= {END_OF_TIME})" for name in ARTIFACT_TIMES),
    ]
)


class ArtifactColumns(TypedColumns):
    """One version of a named thing. ``wanted`` is what its last commit wanted; ``retain_until`` only grows."""

    id: Named[UUID] = Column(primary_key=True)
    name_id: Named[UUID] = Column(ForeignKey("names.id"))
    tenant: Named[str] = Column(Text, ForeignKey("tenants.id"))
    version: Named[int]
    blob_id: Named[UUID | None] = Column(ForeignKey("blobs.id"))
    sha256: Named[bytes] = Column(LargeBinary)
    size: Named[int] = Column(BigInteger)  # bytes of the content
    content_type: Named[str] = Column(Text)
    metadata: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))
    tags: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))
    created_at: Named[datetime] = Column(TIMESTAMPTZ)  # the age counts from here; may lie before stored_at (imports)
    stored_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    accessed_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    policy_id: Named[UUID | None] = Column(ForeignKey("policies.id"))
    state: Named[str] = Column(Text, server_default="live")
    wanted: Named[Sequence[str]] = Column(TEXTS)
    deleted_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    # the policy that deleted it; null after a `purge` or an approved deletion
    deleted_by: Named[str | None] = Column(Text)
    purge_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    purged_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    retain_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    retain_mode: Named[str | None] = Column(Text)
    archived_tiers: Named[Sequence[str] | None] = Column(TEXTS)  # set by `archive`, in the place of the policy's phases
    override_kind: Named[str | None] = Column(Text)
    override_tiers: Named[Sequence[str] | None] = Column(TEXTS)
    override_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    not_before: Named[datetime | None] = Column(TIMESTAMPTZ)  # an undeleted artifact is not purged by a policy before
    revision: Named[int] = Column(BigInteger, server_default="1")  # of its last event


ARTIFACTS: Final = Table(
    "artifacts",
    METADATA,
    ArtifactColumns,
    UniqueConstraint("name_id", "version"),
    CheckConstraint("version >= 1", name="version_from_one"),
    CheckConstraint("state IN ('live', 'deleted', 'purged')", name="state_known"),
    CheckConstraint("(state = 'deleted') <= (purge_at IS NOT NULL)", name="deleted_has_purge_at"),
    CheckConstraint("state <> 'purged' OR cardinality(wanted) = 0", name="purged_wants_nothing"),
    CheckConstraint("state = 'purged' OR blob_id IS NOT NULL", name="only_purged_lacks_content"),
    CheckConstraint("(retain_until IS NULL) = (retain_mode IS NULL)", name="retention_is_whole"),
    CheckConstraint("retain_mode IN ('governance', 'compliance')", name="retain_mode_known"),
    CheckConstraint("(override_kind IS NULL) = (override_tiers IS NULL)", name="override_is_whole"),
    CheckConstraint("override_kind IN ('add', 'replace')", name="override_kind_known"),
    CheckConstraint(f"NOT ({UNREADABLE_ARTIFACT})", name="readable"),
    # any number of artifacts may have one content: what they want is one row for each wish, purged ones come first
    Index("ix_artifacts_blob_wanted", "blob_id", "wanted", postgresql_where=text("blob_id IS NOT NULL")),
    Index("ix_artifacts_tenant_state", "tenant", "state"),
    Index("ix_artifacts_sha256", "sha256"),
    Index("ix_artifacts_created_at", "created_at"),
    Index("ix_artifacts_ended", "state", postgresql_where=text("state <> 'live'")),
    Index(
        "ix_artifacts_tags",
        "tags",
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=text("tags <> '{}'::jsonb"),
    ),
    Index(
        "ix_artifacts_deleted_by",
        "tenant",
        "deleted_at",
        "deleted_by",
        postgresql_where=text("deleted_by IS NOT NULL"),
    ),
)
