"""Months of events that are detached: the files that have them, and what of them stays in the catalog.

Processes of the previous release know neither table: they would count the revisions of some subjects from one again,
and take the bytes of a collected copy for those of a stranger. So no month is detached while one of them is at work.

The way back writes what `history` has into `events`, from which the previous release reads it; which file has the
detached months is forgotten, and the files stay.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION events_append_only();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();
"""
BACK = """
INSERT INTO events (
    subject, revision, at, type, tenant, workflow, name, version, actor, before, after, policy, run_id
)
SELECT h.subject, h.revision, h.at, h.type, h.tenant, n.workflow, n.name, a.version, h.actor, h.before, h.after,
    h.policy, h.run_id
FROM history h
    LEFT JOIN artifacts a ON a.id = h.subject
    LEFT JOIN names n ON n.id = a.name_id
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "history",
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "revision", "at", name=op.f("pk_history")),
    )
    op.create_table(
        "segments",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("ends", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("detached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("since", "file", name=op.f("pk_segments")),
    )
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(BACK)
    op.drop_table("segments")
    op.drop_table("history")
