"""The gate of artifacts is closed for what only Python could not read: deep metadata, long numbers, tags with lists.

Such rows from before stay, as those of revision 0010 do: parked and protected, listed and mended by `doctor`. What is
nested too deep, or has too long a number, is kept as its text.
"""

import importlib

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BEFORE = importlib.import_module("models.migrations.versions.0010_readable_artifacts")


def overfull(column: str, *, level: int = 500) -> str:
    """Return the condition that JSON has something at this level, or a number of more than 4300 digits."""
    return f"""
        CASE WHEN length({column}::text) > 900 THEN
            jsonb_path_exists({column}, 'strict $.**{{{level}}}')
            OR jsonb_path_exists({column}, 'strict $.**{{0 to {level}}} ? (@ >= 1e4300 || @ <= -1e4300)')
        ELSE false END
    """


def kept(column: str) -> str:
    """Return what is kept of JSON, one level deeper."""
    return f"CASE WHEN {overfull(column, level=499)} THEN to_jsonb({column}::text) ELSE {column} END"


#: of OLD: tags that are no object of texts; silent for those that are no object
ODD_TAGS = """(
    jsonb_typeof(OLD.tags) <> 'object'
    OR jsonb_path_exists(OLD.tags, 'strict $.* ? (@.type() <> "string")', '{}', true)
)"""
ODD_METADATA = f"(jsonb_typeof(OLD.metadata) <> 'object' OR {overfull('OLD.metadata')})"
OUTSIDE = [BEFORE.outside(f"OLD.{column}") for column in BEFORE.MENDED]

CONSTRAINT = f"""
ALTER TABLE artifacts
    DROP CONSTRAINT ck_artifacts_readable,
    ADD CONSTRAINT ck_artifacts_readable
        CHECK (NOT ({" OR ".join((ODD_METADATA, ODD_TAGS, *OUTSIDE)).replace("OLD.", "")})) NOT VALID;
"""
DROP_TRIGGER = """
DROP TRIGGER brought_within ON artifacts;
DROP FUNCTION artifacts_readable();
"""
TRIGGER = f"""
CREATE FUNCTION artifacts_readable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{BEFORE.TIMES}
    IF {ODD_METADATA} AND NEW.metadata = OLD.metadata THEN
        NEW.metadata := jsonb_build_object('unreadable', {kept("OLD.metadata")});
    END IF;
    IF {ODD_TAGS} AND NEW.tags = OLD.tags THEN
        NEW.metadata := NEW.metadata || jsonb_build_object('unreadable tags', {kept("OLD.tags")});
        NEW.tags := '{{}}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER brought_within BEFORE UPDATE ON artifacts FOR EACH ROW
    WHEN ({" OR ".join((ODD_METADATA, ODD_TAGS, *OUTSIDE))})
    EXECUTE FUNCTION artifacts_readable();
"""


def upgrade() -> None:
    """Go to this revision."""
    op.execute(CONSTRAINT)
    op.execute(DROP_TRIGGER)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Go back to the revision before."""
    op.execute(DROP_TRIGGER)
    op.execute("ALTER TABLE artifacts DROP CONSTRAINT ck_artifacts_readable")
    op.execute(BEFORE.CONSTRAINT)
    op.execute(BEFORE.TRIGGER)
