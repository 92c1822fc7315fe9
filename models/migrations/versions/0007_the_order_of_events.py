"""The order of events: the cluster and the transaction that wrote each (R33).

Both are defaults, so processes of the previous release write them unknowingly. Existing events get the transaction of
this upgrade, without being rewritten: they precede all others, ordered by subject and revision. The upgrade waits for
transactions that write events, so none of these commits later.

``events_cluster()`` is evaluated once per server process, when it first writes an event: the system identifier, and the
timeline, which a restore to a point in time and a promotion change, because transaction ids may then restart below
those already seen. If a managed server does not expose its identifier, the database's object id replaces it.
"""

from alembic import op

from models.migrations import online

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
CREATE OR REPLACE FUNCTION events_cluster() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    known text := current_setting('tierkeeper.cluster', true);
    timeline int;
BEGIN
    IF known <> '' THEN
        RETURN known;
    END IF;
    BEGIN
        SELECT system_identifier::text INTO known FROM pg_control_system();
    EXCEPTION WHEN insufficient_privilege THEN
        SELECT 'd' || oid::text INTO known FROM pg_database WHERE datname = current_database();
    END;
    BEGIN
        timeline := ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int;
    EXCEPTION WHEN insufficient_privilege THEN
        timeline := 0;
    END;
    known := known || '-' || timeline;
    PERFORM set_config('tierkeeper.cluster', known, false);
    RETURN known;
END $$;
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS cluster TEXT COLLATE "C" NOT NULL DEFAULT events_cluster(),
    ADD COLUMN IF NOT EXISTS xid xid8 NOT NULL DEFAULT pg_current_xact_id();
"""
DOWN = """
DROP INDEX ix_events_cluster_xid_subject_revision;
ALTER TABLE events DROP COLUMN cluster, DROP COLUMN xid;
DROP FUNCTION events_cluster();
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(UP)
    online.create_partitioned_index(
        "ix_events_cluster_xid_subject_revision", table="events", columns="cluster, xid, subject, revision"
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DOWN)
