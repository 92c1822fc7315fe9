"""Tables and columns for operators: the brake, deliveries that were tried, heartbeats."""

from alembic import op

from models.migrations import online

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DELIVERIES = """
CREATE TABLE IF NOT EXISTS deliveries (
    id UUID NOT NULL,
    key TEXT NOT NULL,
    arguments_hash BYTEA NOT NULL,
    task TEXT NOT NULL,
    tenant TEXT NOT NULL,
    workflow TEXT,
    name TEXT,
    attempts INTEGER DEFAULT 0 NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    waiting_for TEXT,
    parked_reason TEXT,
    skipped_by TEXT,
    arguments BYTEA,
    headers JSONB,
    staged UUID[] DEFAULT '{}'::uuid[] NOT NULL,
    revision INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_deliveries_key_arguments_hash UNIQUE (key, arguments_hash)
);
CREATE INDEX IF NOT EXISTS ix_deliveries_due_at ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_deliveries_parked ON deliveries (tenant) WHERE parked_reason IS NOT NULL;
"""

# reconcile: an orphan's decision point stands in its row; verify finds the copies read longest ago by an index.
# the brake: the policy that deletes with the next step, deletions that wait for an approval, deletions by policy
QUARANTINE = "ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS deleting_at TIMESTAMP WITH TIME ZONE"
SCHEDULE = """
ALTER TABLE schedule
    ADD COLUMN IF NOT EXISTS deletes TEXT,
    ADD COLUMN IF NOT EXISTS braked_by UUID,
    ADD COLUMN IF NOT EXISTS approved_by UUID
"""
ARTIFACTS = "ALTER TABLE artifacts ADD COLUMN IF NOT EXISTS deleted_by TEXT"
INDEXES = {
    "ix_placements_verified": "placements (verified_at, id) WHERE state = 'present'",
    "ix_schedule_deletes": """schedule (tenant, due_at, deletes)
        WHERE deletes IS NOT NULL AND approved_by IS NULL AND parked_reason IS NULL""",
    "ix_schedule_braked_by": "schedule (braked_by, due_at, artifact_id) WHERE braked_by IS NOT NULL",
    "ix_schedule_approved_by": "schedule (approved_by) WHERE approved_by IS NOT NULL",
    "ix_artifacts_deleted_by": "artifacts (tenant, deleted_at, deleted_by) WHERE deleted_by IS NOT NULL",
}
UNDO_RECONCILE = """
DROP INDEX ix_placements_verified;
ALTER TABLE quarantine DROP COLUMN deleting_at;
"""

RUNS = """
ALTER TABLE runs DROP CONSTRAINT IF EXISTS ck_runs_state_known, ADD CONSTRAINT ck_runs_state_known
    CHECK (state IN ('running', 'done', 'failed', 'awaiting approval', 'approved', 'rejected', 'abandoned'));
CREATE INDEX IF NOT EXISTS ix_runs_approval ON runs (kind) WHERE state IN ('awaiting approval', 'approved');
"""
PLAN_ITEMS = """
ALTER TABLE plan_items
    ADD COLUMN IF NOT EXISTS policy TEXT NOT NULL,
    ADD COLUMN IF NOT EXISTS blocked TEXT DEFAULT '' NOT NULL,
    ADD COLUMN IF NOT EXISTS outcome TEXT
"""
RECOMPUTE = """
INSERT INTO runs (id, kind, actor, arguments)
    SELECT gen_random_uuid(), 'recompute', 'upgrade',
        '{"policies": [], "after": "00000000-0000-0000-0000-000000000000"}'
    WHERE EXISTS (SELECT FROM schedule);
"""
UNDO_BRAKE = """
ALTER TABLE plan_items DROP COLUMN policy, DROP COLUMN blocked, DROP COLUMN outcome;
DROP INDEX ix_runs_approval;
UPDATE runs SET state = 'abandoned' WHERE state IN ('approved', 'rejected');
ALTER TABLE runs DROP CONSTRAINT ck_runs_state_known, ADD CONSTRAINT ck_runs_state_known
    CHECK (state IN ('running', 'done', 'failed', 'awaiting approval', 'abandoned'));
ALTER TABLE artifacts DROP COLUMN deleted_by;
ALTER TABLE schedule DROP COLUMN deletes, DROP COLUMN braked_by, DROP COLUMN approved_by;
CREATE INDEX ix_schedule_due_at ON schedule (due_at) WHERE parked_reason IS NULL;
"""

# signs of progress: canaries, and recent work of converge
HEARTBEATS = """
CREATE TABLE IF NOT EXISTS heartbeats (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_heartbeats PRIMARY KEY (name)
);
"""

UP: tuple[str, ...] = (DELIVERIES, HEARTBEATS, QUARANTINE, SCHEDULE, ARTIFACTS, RUNS, PLAN_ITEMS)
DOWN: tuple[str, ...] = ("DROP TABLE heartbeats", UNDO_BRAKE, UNDO_RECONCILE, "DROP TABLE deliveries")


def upgrade() -> None:
    """Go to this revision."""
    online.apart(*UP)
    for name, on in INDEXES.items():
        online.create_index(name, on)
    online.replace_index("ix_schedule_due_at", "schedule (due_at) WHERE parked_reason IS NULL AND braked_by IS NULL")
    op.execute(RECOMPUTE)


def downgrade() -> None:
    """Go back to the revision before."""
    for statement in DOWN:
        op.execute(statement)
