"""Indexes by which lists find what they filter by.

Tags, a content's SHA-256, an age, a state other than live, the type of an event.

Artifacts without tags have no entry in the index of tags.
"""

from alembic import op

from models.migrations import online

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

#: by name: table, columns and condition
INDEXES = {
    "ix_artifacts_tags": "artifacts USING gin (tags jsonb_path_ops) WHERE tags <> '{}'::jsonb",
    "ix_artifacts_sha256": "artifacts (sha256)",
    "ix_artifacts_created_at": "artifacts (created_at)",
    "ix_artifacts_ended": "artifacts (state) WHERE state <> 'live'",
}
EVENTS = "ix_events_type_at"


def upgrade() -> None:
    """Go to this revision."""
    for name, on in INDEXES.items():
        online.create_index(name, on)
    online.create_partitioned_index(EVENTS, table="events", columns="type, at")


def downgrade() -> None:
    """Go back to the revision before."""
    for name in (*INDEXES, EVENTS):
        op.execute(f"DROP INDEX {name}")
