"""Artifacts that can be read: times from 1900 to 9000 (UTC), metadata and tags that are objects.

The constraint is NOT VALID: rows that break it from before stay, `maintain` validates it once there are none. An UPDATE
of such a row, for whatever reason, would break it too: a trigger mends what the UPDATE leaves as it was.
An age that cannot be known begins when the artifact was stored, a read at a time that cannot be known was just now, and
what protects is never shortened by it.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FIRST, END = "timestamptz '1900-01-01Z'", "timestamptz '9000-01-01Z'"
LAST = "timestamptz '8999-12-31 23:59:59Z'"
#: what a time outside the gate becomes, by column
MENDED = {
    "created_at": "CASE WHEN {stored} THEN now() ELSE OLD.stored_at END",
    "stored_at": "now()",
    "accessed_at": "now()",
    "deleted_at": "now()",
    "purged_at": "now()",
    "purge_at": LAST,
    "retain_until": LAST,
    "override_until": LAST,
    "not_before": LAST,
}


#: of OLD: tags that are no object of texts
ODD_TAGS = """(
    jsonb_typeof(OLD.tags) <> 'object' OR jsonb_path_exists(OLD.tags, '$.* ? (@.type() <> "string")')
)"""


def outside(column: str) -> str:
    """Return the condition that a column's time is outside the gate."""
    return f"({column} < {FIRST} OR {column} >= {END})"


CONSTRAINT = f"""
ALTER TABLE artifacts ADD CONSTRAINT ck_artifacts_readable CHECK (
    jsonb_typeof(metadata) = 'object' AND NOT {ODD_TAGS.replace("OLD.", "")}
    AND {" AND ".join(f"NOT {outside(column)}" for column in MENDED)}
) NOT VALID;
"""
TIMES = "\n".join(
    f"    IF {outside(f'OLD.{column}')} AND NEW.{column} = OLD.{column} THEN NEW.{column} := {value}; END IF;"
    for column, value in MENDED.items()
).format(stored=outside("OLD.stored_at"))
TRIGGER = f"""
CREATE FUNCTION artifacts_readable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{TIMES}
    IF jsonb_typeof(OLD.metadata) <> 'object' AND NEW.metadata = OLD.metadata THEN
        NEW.metadata := jsonb_build_object('unreadable', OLD.metadata);
    END IF;
    IF {ODD_TAGS} AND NEW.tags = OLD.tags THEN
        NEW.metadata := NEW.metadata || jsonb_build_object('unreadable tags', OLD.tags);
        NEW.tags := '{{}}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER brought_within BEFORE UPDATE ON artifacts FOR EACH ROW
    WHEN (
        jsonb_typeof(OLD.metadata) <> 'object' OR {ODD_TAGS}
        OR {" OR ".join(outside(f"OLD.{column}") for column in MENDED)}
    )
    EXECUTE FUNCTION artifacts_readable();
"""
#: the last time within the gate is no shorter retention than one beyond it
ONLY_FORWARD = """
CREATE OR REPLACE FUNCTION artifacts_only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.retain_until IS NOT NULL AND (NEW.retain_until IS NULL OR NEW.retain_until < {before}) THEN
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
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(CONSTRAINT)
    op.execute(ONLY_FORWARD.format(before=f"least(OLD.retain_until, {LAST})"))
    op.execute(TRIGGER)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute("DROP TRIGGER brought_within ON artifacts")
    op.execute("DROP FUNCTION artifacts_readable()")
    op.execute(ONLY_FORWARD.format(before="OLD.retain_until"))
    op.execute("ALTER TABLE artifacts DROP CONSTRAINT ck_artifacts_readable")
