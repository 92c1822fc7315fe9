"""Why a copy is vouched for, and the pin that names its bytes.

Existing copies with a store's own checksum of the whole become ``written``. Copies without one, such as those uploaded
in parts and those that some servers copied on their side, are not vouched for until they are read. The same holds for
copies that processes of the previous release commit from now on, because they do not know the column. Their `verify`
writes a time of reading to copies that are not vouched for; none is vouched for by it.
"""

from alembic import op

from models.migrations import online

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# the default covers existing rows without rewriting them; new rows have to set the column
UP = """
ALTER TABLE placements
    ADD COLUMN IF NOT EXISTS vouched TEXT DEFAULT 'written',
    ADD COLUMN IF NOT EXISTS pin TEXT;
ALTER TABLE placements ALTER COLUMN vouched DROP DEFAULT;
"""
CONSTRAINTS = """
ALTER TABLE placements
    DROP CONSTRAINT IF EXISTS ck_placements_vouched_known,
    DROP CONSTRAINT IF EXISTS ck_placements_pin_of_vouched,
    ADD CONSTRAINT ck_placements_vouched_known
        CHECK (vouched IN ('written', 'server', 'pinned', 'read')) NOT VALID,
    ADD CONSTRAINT ck_placements_pin_of_vouched CHECK (pin IS NULL OR vouched IS NOT NULL) NOT VALID;
"""
RENAME = "ALTER TABLE placements RENAME CONSTRAINT ck_placements_kept_was_verified TO ck_placements_kept_was_written"
# the verify of the release before passes over copies without a time
DOWN = """
DROP INDEX ix_placements_unvouched;
ALTER TABLE placements RENAME CONSTRAINT ck_placements_kept_was_written TO ck_placements_kept_was_verified;
UPDATE placements SET verified_at = made_at WHERE verified_at IS NULL AND state IN ('present', 'doomed');
ALTER TABLE placements DROP COLUMN vouched, DROP COLUMN pin;
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)
    online.update_all(
        "placements",
        "vouched = NULL, verified_at = NULL",
        where="checksum IS NULL AND (vouched IS NOT NULL OR verified_at IS NOT NULL)",
    )
    online.update_all(
        "placements",
        "pin = store_version",
        where="vouched IS NOT NULL AND store_version IS NOT NULL AND pin IS NULL",
    )
    online.create_index("ix_placements_unvouched", "placements (id) WHERE state = 'present' AND vouched IS NULL")
    op.execute(CONSTRAINTS)
    online.validate("placements", "ck_placements_vouched_known", "ck_placements_pin_of_vouched")
    op.execute(RENAME)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
