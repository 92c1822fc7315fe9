"""The tables of the catalog."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "blobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_blobs_sha256_is_32_bytes")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_blobs_size_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blobs")),
        sa.UniqueConstraint("scope", "sha256", name=op.f("uq_blobs_scope_sha256")),
    )
    op.create_table(
        "commands",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("arguments_hash", sa.LargeBinary(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "item", name=op.f("pk_commands")),
    )
    op.create_index("ix_commands_at", "commands", ["at"], unique=False)
    op.create_table(
        "events",
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("correlation", sa.Text(), nullable=True),
        sa.Column("age_days", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "revision", "at", name=op.f("pk_events")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    op.create_index("ix_events_tenant_at", "events", ["tenant", "at"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policies", postgresql.JSONB(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("summary", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_run_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("built_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_policies_name_version")),
    )
    op.create_index(
        "uq_policies_active", "policies", ["name"], unique=True, postgresql_where=sa.text("removed_at IS NULL")
    )
    op.create_table(
        "quarantine",
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("store_version", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_again", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tier", "location", "store_version", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("dry", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("arguments", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("approval", postgresql.JSONB(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'failed', 'awaiting approval', 'abandoned')", name=op.f("ck_runs_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_kind_started_at", "runs", ["kind", "started_at"], unique=False)
    op.create_index("ix_runs_running", "runs", ["kind"], unique=False, postgresql_where=sa.text("state = 'running'"))
    op.create_table(
        "staging",
        sa.Column("name", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_staging")),
    )
    op.create_index("ix_staging_expires_at", "staging", ["expires_at"], unique=False)
    op.create_table(
        "switches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key_reference", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("budgets", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "names",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_names_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_names")),
        sa.UniqueConstraint("tenant", "workflow", "name", name=op.f("uq_names_tenant_workflow_name")),
    )
    op.create_table(
        "placements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("blob_id", sa.Uuid(), nullable=False),
        sa.Column("artifact_id", sa.Uuid(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("store_version", sa.Text(), nullable=True),
        sa.Column("stored_size", sa.BigInteger(), nullable=True),
        sa.Column("stored_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("checksum", sa.Text(), nullable=True),
        sa.Column("cipher", sa.Text(), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("compression", sa.Text(), nullable=True),
        sa.Column("lock_wanted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("placed_by", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("damaged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("doomed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pack_id", sa.Uuid(), nullable=True),
        sa.Column("pack_offset", sa.BigInteger(), nullable=True),
        sa.Column("pack_length", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'copying' OR lease_until IS NOT NULL", name=op.f("ck_placements_copying_has_lease")
        ),
        sa.CheckConstraint(
            "state <> 'doomed' OR delete_after IS NOT NULL", name=op.f("ck_placements_doomed_has_delete_after")
        ),
        sa.CheckConstraint(
            "state = 'copying' OR state = 'deleting' OR stored_size IS NOT NULL",
            name=op.f("ck_placements_kept_was_verified"),
        ),
        sa.CheckConstraint(
            "state IN ('copying', 'present', 'doomed', 'deleting')", name=op.f("ck_placements_state_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('copying', 'deleting') OR token IS NOT NULL", name=op.f("ck_placements_maker_has_token")
        ),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("fk_placements_blob_id_blobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placements")),
        sa.UniqueConstraint("tier", "location", name=op.f("uq_placements_tier_location")),
    )
    op.create_index("ix_placements_blob_id", "placements", ["blob_id"], unique=False)
    op.create_index(
        "ix_placements_doomed",
        "placements",
        ["delete_after"],
        unique=False,
        postgresql_where=sa.text("state = 'doomed'"),
    )
    op.create_index(
        "ix_placements_leased",
        "placements",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('copying', 'deleting')"),
    )
    op.create_index(
        "uq_placements_present",
        "placements",
        ["blob_id", "tier"],
        unique=True,
        postgresql_where=sa.text("state = 'present'"),
    )
    op.create_table(
        "plan_items",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name=op.f("fk_plan_items_plan_id_plans"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("plan_id", "artifact_id", name=op.f("pk_plan_items")),
    )
    op.create_index("ix_plan_items_artifact_id", "plan_items", ["artifact_id"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("blob_id", sa.Uuid(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("tags", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("accessed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column("wanted", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retain_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retain_mode", sa.Text(), nullable=True),
        sa.Column("archived_tiers", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("override_kind", sa.Text(), nullable=True),
        sa.Column("override_tiers", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("override_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'deleted') <= (purge_at IS NOT NULL)", name=op.f("ck_artifacts_deleted_has_purge_at")
        ),
        sa.CheckConstraint("override_kind IN ('add', 'replace')", name=op.f("ck_artifacts_override_kind_known")),
        sa.CheckConstraint("retain_mode IN ('governance', 'compliance')", name=op.f("ck_artifacts_retain_mode_known")),
        sa.CheckConstraint(
            "state <> 'purged' OR cardinality(wanted) = 0", name=op.f("ck_artifacts_purged_wants_nothing")
        ),
        sa.CheckConstraint(
            "state = 'purged' OR blob_id IS NOT NULL", name=op.f("ck_artifacts_only_purged_lacks_content")
        ),
        sa.CheckConstraint("state IN ('live', 'deleted', 'purged')", name=op.f("ck_artifacts_state_known")),
        sa.CheckConstraint(
            "(override_kind IS NULL) = (override_tiers IS NULL)", name=op.f("ck_artifacts_override_is_whole")
        ),
        sa.CheckConstraint(
            "(retain_until IS NULL) = (retain_mode IS NULL)", name=op.f("ck_artifacts_retention_is_whole")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_artifacts_version_from_one")),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("fk_artifacts_blob_id_blobs")),
        sa.ForeignKeyConstraint(["name_id"], ["names.id"], name=op.f("fk_artifacts_name_id_names")),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_artifacts_policy_id_policies")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_artifacts_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
        sa.UniqueConstraint("name_id", "version", name=op.f("uq_artifacts_name_id_version")),
    )
    op.create_index(
        "ix_artifacts_blob_id", "artifacts", ["blob_id"], unique=False, postgresql_where=sa.text("blob_id IS NOT NULL")
    )
    op.create_index("ix_artifacts_tenant_state", "artifacts", ["tenant", "state"], unique=False)
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name=op.f("fk_holds_artifact_id_artifacts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(
        "uq_holds_active",
        "holds",
        ["artifact_id", "name"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "schedule",
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name=op.f("fk_schedule_artifact_id_artifacts")),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_schedule")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_schedule_due_at", "schedule", ["due_at"], unique=False, postgresql_where=sa.text("parked_reason IS NULL")
    )
    op.create_index(
        "ix_schedule_parked",
        "schedule",
        ["tenant"],
        unique=False,
        postgresql_where=sa.text("parked_reason IS NOT NULL"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_index("ix_schedule_parked", table_name="schedule", postgresql_where=sa.text("parked_reason IS NOT NULL"))
    op.drop_index("ix_schedule_due_at", table_name="schedule", postgresql_where=sa.text("parked_reason IS NULL"))
    op.drop_table("schedule")
    op.drop_index("uq_holds_active", table_name="holds", postgresql_where=sa.text("released_at IS NULL"))
    op.drop_table("holds")
    op.drop_index("ix_artifacts_tenant_state", table_name="artifacts")
    op.drop_index("ix_artifacts_blob_id", table_name="artifacts", postgresql_where=sa.text("blob_id IS NOT NULL"))
    op.drop_table("artifacts")
    op.drop_index("ix_plan_items_artifact_id", table_name="plan_items")
    op.drop_table("plan_items")
    op.drop_index("uq_placements_present", table_name="placements", postgresql_where=sa.text("state = 'present'"))
    op.drop_index(
        "ix_placements_leased", table_name="placements", postgresql_where=sa.text("state IN ('copying', 'deleting')")
    )
    op.drop_index("ix_placements_doomed", table_name="placements", postgresql_where=sa.text("state = 'doomed'"))
    op.drop_index("ix_placements_blob_id", table_name="placements")
    op.drop_table("placements")
    op.drop_table("names")
    op.drop_table("tenants")
    op.drop_table("switches")
    op.drop_index("ix_staging_expires_at", table_name="staging")
    op.drop_table("staging")
    op.drop_index("ix_runs_running", table_name="runs", postgresql_where=sa.text("state = 'running'"))
    op.drop_index("ix_runs_kind_started_at", table_name="runs")
    op.drop_table("runs")
    op.drop_table("quarantine")
    op.drop_index("uq_policies_active", table_name="policies", postgresql_where=sa.text("removed_at IS NULL"))
    op.drop_table("policies")
    op.drop_table("plans")
    op.drop_index("ix_events_tenant_at", table_name="events")
    op.drop_index("ix_events_at", table_name="events")
    op.drop_table("events")
    op.drop_index("ix_commands_at", table_name="commands")
    op.drop_table("commands")
    op.drop_table("blobs")
