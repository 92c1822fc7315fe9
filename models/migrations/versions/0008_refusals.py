"""Why a store does not delete: the last refusal of a copy's and of an orphan's delete, since when, and how often.

No row has one after the upgrade. Processes of the previous release do not know the columns and leave them as they are:
a delete that they repeat is not counted, and one that succeeds takes the row away.
"""

from alembic import op

from models.migrations import online

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE {table}
    ADD COLUMN IF NOT EXISTS refused_since TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS refused_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS refusals INTEGER,
    ADD COLUMN IF NOT EXISTS refusal_code TEXT,
    ADD COLUMN IF NOT EXISTS refusal TEXT
"""
DOWN = """
DROP INDEX ix_quarantine_refused;
ALTER TABLE quarantine
    DROP COLUMN refusal,
    DROP COLUMN refusal_code,
    DROP COLUMN refusals,
    DROP COLUMN refused_at,
    DROP COLUMN refused_since;
ALTER TABLE placements
    DROP COLUMN refusal,
    DROP COLUMN refusal_code,
    DROP COLUMN refusals,
    DROP COLUMN refused_at,
    DROP COLUMN refused_since;
"""


def upgrade() -> None:
    """Go to this revision."""
    online.apart(*(UP.format(table=table) for table in ("placements", "quarantine")))
    online.create_index("ix_quarantine_refused", "quarantine (refused_since) WHERE refused_since IS NOT NULL")


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
