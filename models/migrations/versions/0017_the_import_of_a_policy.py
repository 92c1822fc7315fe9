"""The import that made a policy: importing under its name again tells the policies that are no longer in the file.

No policy has one after the upgrade; the next import of a file marks those that it has. Processes of the previous
release make versions without one.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.execute("ALTER TABLE policies ADD COLUMN IF NOT EXISTS imported_as TEXT")


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute("ALTER TABLE policies DROP COLUMN imported_as")
