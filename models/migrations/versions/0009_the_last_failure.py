"""Why the last try of an artifact's step failed: the error's code, its tier, its words, and when.

Null for all rows after the upgrade. Processes of the previous release do not know the columns and leave them as they
are; they count only where ``failures`` is above 0, which such a process resets with a success.
"""

from alembic import op

from models.migrations import online

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE schedule
    ADD COLUMN IF NOT EXISTS failed_code TEXT,
    ADD COLUMN IF NOT EXISTS failed_tier TEXT,
    ADD COLUMN IF NOT EXISTS failed_words TEXT,
    ADD COLUMN IF NOT EXISTS failed_at TIMESTAMPTZ;
"""
DOWN = """
DROP INDEX ix_schedule_failing;
ALTER TABLE schedule
    DROP COLUMN failed_code,
    DROP COLUMN failed_tier,
    DROP COLUMN failed_words,
    DROP COLUMN failed_at;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)
    online.create_index("ix_schedule_failing", "schedule (failed_tier, failed_code) WHERE failures > 0")


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
