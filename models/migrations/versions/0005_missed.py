"""Since when a copy is a suspect: not found where it should be, once, in a store that is called (R20).

It adds an index of the damaged copies, by which `health` counts them. No copy is a suspect after the upgrade. Processes
of the previous release do not know the column: they treat a suspect like any other copy, and mark a copy that they do
not find as damaged at once. Nor do they clear the column: a copy that they heal, rescue or find right keeps it until a
process of this release sees the copy; until then a single look that misses it counts as the second.
"""

from alembic import op

from models.migrations import online

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE placements ADD COLUMN IF NOT EXISTS missed_at TIMESTAMPTZ;
"""
DOWN = """
DROP INDEX ix_placements_damaged;
DROP INDEX ix_placements_missed;
ALTER TABLE placements DROP COLUMN missed_at;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)
    online.create_index("ix_placements_missed", "placements (missed_at, id) WHERE missed_at IS NOT NULL")
    online.create_index("ix_placements_damaged", "placements (damaged_at, id) WHERE damaged_at IS NOT NULL")


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
