"""Dead letters: messages that a worker refused, as rows of ``deliveries`` with the kind ``malformed``.

Every existing row is a delivery, also one that a process of the previous release writes. Such a process would send a
malformed row again if its operator retries it: the constraint refuses that. The table is small: it has a row for each
message that did not end well, none for the others.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE deliveries
    ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'delivery',
    ADD COLUMN broker TEXT COLLATE "C",
    ADD COLUMN queue TEXT COLLATE "C",
    ADD COLUMN raw BYTEA,
    ADD CONSTRAINT ck_deliveries_kind_known CHECK (kind IN ('delivery', 'malformed')) NOT VALID,
    ADD CONSTRAINT ck_deliveries_malformed_is_parked CHECK (
        kind <> 'malformed' OR (due_at IS NULL AND parked_reason IS NOT NULL)
    ) NOT VALID;
ALTER TABLE deliveries
    VALIDATE CONSTRAINT ck_deliveries_kind_known,
    VALIDATE CONSTRAINT ck_deliveries_malformed_is_parked;
CREATE INDEX ix_deliveries_malformed ON deliveries (last_at) WHERE kind = 'malformed';
"""
DOWN = """
DELETE FROM deliveries WHERE kind = 'malformed';
DROP INDEX ix_deliveries_malformed;
ALTER TABLE deliveries DROP COLUMN kind, DROP COLUMN broker, DROP COLUMN queue, DROP COLUMN raw;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
