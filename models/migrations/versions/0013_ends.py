"""What ends old rows: the commands of an artifact are found by it, a queue says since when canaries come through it.

The commands of processes of the previous release are in the index too, because it reads the recorded result. Their
canaries leave the new columns of ``heartbeats`` as they are: a queue whose canaries they alone take counts as broken
off, and no command ends. A message that they skip has no ``skipped_at`` until `maintain` writes it.
"""

from alembic import op

from models.migrations import online

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

HEARTBEATS = """
ALTER TABLE heartbeats
    ADD COLUMN IF NOT EXISTS since TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS counted_at TIMESTAMPTZ
"""
DELIVERIES = "ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS skipped_at TIMESTAMPTZ"
COMMANDS = "commands (COALESCE(result ->> 'artifact', result #>> '{results,-1,artifact}'), at)"
SKIPPED = "deliveries (skipped_at) WHERE skipped_by IS NOT NULL"
DOWN = """
DROP INDEX ix_deliveries_skipped;
DROP INDEX ix_commands_artifact;
ALTER TABLE deliveries DROP COLUMN skipped_at;
ALTER TABLE heartbeats DROP COLUMN counted_at, DROP COLUMN since;
DELETE FROM switches WHERE name = 'commands_ended';
"""


def upgrade() -> None:
    """Go to this revision."""
    online.apart(HEARTBEATS, DELIVERIES)
    online.create_index("ix_commands_artifact", COMMANDS)
    online.create_index("ix_deliveries_skipped", SKIPPED)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
