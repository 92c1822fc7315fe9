"""A copy is found at its location by the placement's id, with which every location of our layouts ends.

Ids are made in the order of time, so what is stored together lies together in a tier's part of the index. The names and
hashes with which locations begin come in any order: each store then wrote another page of the index, and the whole page
into PostgreSQL's log after each checkpoint.
"""

from alembic import op

from models.migrations import online

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEX = "uq_placements_location"
BEFORE = "uq_placements_tier_location"


def upgrade() -> None:
    """Go to this revision."""
    online.create_index(INDEX, "placements (tier, right(location, 36), location)", unique=True)
    online.apart(f"ALTER TABLE placements DROP CONSTRAINT IF EXISTS {BEFORE}")


def downgrade() -> None:
    """Go back to the revision before."""
    online.create_index(f"{BEFORE}_new", "placements (tier, location)", unique=True)
    op.execute(f"ALTER TABLE placements ADD CONSTRAINT {BEFORE} UNIQUE USING INDEX {BEFORE}_new")
    op.execute(f"DROP INDEX IF EXISTS {INDEX}")
