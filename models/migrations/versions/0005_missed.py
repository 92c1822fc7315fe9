"""Since when a copy is a suspect: not found where it should be, once, in a store that is called (R20).

An index of the copies that were found damaged comes with it, by which `health` counts them. Nothing is a suspect after
the upgrade. Processes of the release before do not know of the column: to them a suspect is a copy like others, and
what they do not find is damaged at once. Nor do they take a first look back: what they heal, rescue or find right keeps
it until a process of this release sees the copy, which may then be missed by one look.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE placements ADD COLUMN missed_at TIMESTAMPTZ;
CREATE INDEX ix_placements_missed ON placements (missed_at, id) WHERE missed_at IS NOT NULL;
CREATE INDEX ix_placements_damaged ON placements (damaged_at, id) WHERE damaged_at IS NOT NULL;
"""
DOWN = """
DROP INDEX ix_placements_damaged;
DROP INDEX ix_placements_missed;
ALTER TABLE placements DROP COLUMN missed_at;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
