"""What the audit log refuses is a rule's violation, as the artifacts' rules are, and no privilege that is missing.

To a reader of errors a missing privilege is what a GRANT mends. The way back forgets how far the modes of the tiers'
files were looked at: the release before writes such files.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = '{code}';
END $$;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(FUNCTION.format(code="restrict_violation"))


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(FUNCTION.format(code="insufficient_privilege"))
    op.execute("DELETE FROM switches WHERE starts_with(name, 'modes:')")
