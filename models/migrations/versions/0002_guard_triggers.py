"""Rules that no column constraint can express: retention only grows, events are append-only; partitions for events.

A WORM lock is never shortened and an artifact never comes back from purged; the audit log has no UPDATE and no DELETE.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RETENTION_ONLY_GROWS = """
CREATE FUNCTION artifacts_only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.retain_until IS NOT NULL AND (NEW.retain_until IS NULL OR NEW.retain_until < OLD.retain_until) THEN
        RAISE EXCEPTION 'retain_until of artifact % is never shortened (% to %)',
            OLD.id, OLD.retain_until, NEW.retain_until USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.retain_mode = 'compliance' AND NEW.retain_mode IS DISTINCT FROM 'compliance' THEN
        RAISE EXCEPTION 'compliance retention of artifact % is never weakened', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'purged' AND OLD.state <> 'purged' AND NEW.retain_until > clock_timestamp() THEN
        RAISE EXCEPTION 'artifact % is under retention until %', OLD.id, NEW.retain_until
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'purged' AND NEW.state <> 'purged' THEN
        RAISE EXCEPTION 'artifact % is purged, which is irrevocable', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_forward BEFORE UPDATE OF retain_until, retain_mode, state ON artifacts
    FOR EACH ROW EXECUTE FUNCTION artifacts_only_forward();
"""

EVENTS_APPEND_ONLY = """
CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_append_only();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON events_default
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();
"""

SWITCHES = """
INSERT INTO switches (name, value, by, reason) VALUES
    ('deletes_enabled', 'true', 'init', 'the default'),
    ('epoch', '1', 'init', 'a new catalog');
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(RETENTION_ONLY_GROWS)
    op.execute(EVENTS_APPEND_ONLY)
    op.execute(SWITCHES)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute("DELETE FROM switches")
    op.execute("DROP TABLE events_default")
    op.execute("DROP TRIGGER no_truncate ON events")
    op.execute("DROP TRIGGER append_only ON events")
    op.execute("DROP FUNCTION events_append_only")
    op.execute("DROP TRIGGER only_forward ON artifacts")
    op.execute("DROP FUNCTION artifacts_only_forward")
