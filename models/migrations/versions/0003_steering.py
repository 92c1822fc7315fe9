"""What an operator steers by: the brake, deliveries that were tried, heartbeats."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP: tuple[str, ...] = ()
DOWN: tuple[str, ...] = ()


def upgrade() -> None:
    """Go to this revision."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Go back to the revision before."""
    for statement in DOWN:
        op.execute(statement)
