"""Since when collect leaves a doomed copy because the copies that stay were not seen (R21); indexed for `health`.

No copy has it after the upgrade. Processes of the previous release do not know the column and leave it as it is.
"""

from alembic import op

from models.migrations import online

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE placements ADD COLUMN IF NOT EXISTS unseen_since TIMESTAMPTZ;
"""
DOWN = """
DROP INDEX ix_placements_unseen;
ALTER TABLE placements DROP COLUMN unseen_since;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)
    online.create_index("ix_placements_unseen", "placements (unseen_since) WHERE unseen_since IS NOT NULL")


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
