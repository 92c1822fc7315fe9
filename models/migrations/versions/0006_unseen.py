"""Since when collect leaves a doomed copy because the copies that stay were not seen (R21); indexed for `health`.

No copy has it after the upgrade. Processes of the previous release do not know the column and leave it as it is.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE placements ADD COLUMN unseen_since TIMESTAMPTZ;
CREATE INDEX ix_placements_unseen ON placements (unseen_since) WHERE unseen_since IS NOT NULL;
"""
DOWN = """
DROP INDEX ix_placements_unseen;
ALTER TABLE placements DROP COLUMN unseen_since;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
