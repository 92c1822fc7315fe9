"""What the artifacts of one content want is found by index, however many they are: by one row for each wish."""

from alembic import op

from models.migrations import online

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEX = "ix_artifacts_blob_wanted"
#: of before, which the new one begins with
BEFORE = "ix_artifacts_blob_id"


def upgrade() -> None:
    """Go to this revision."""
    online.create_index(INDEX, "artifacts (blob_id, wanted) WHERE blob_id IS NOT NULL")
    online.apart(f"DROP INDEX IF EXISTS {BEFORE}")


def downgrade() -> None:
    """Go back to the revision before."""
    online.create_index(BEFORE, "artifacts (blob_id) WHERE blob_id IS NOT NULL")
    op.execute(f"DROP INDEX IF EXISTS {INDEX}")
