
CREATE FUNCTION public.artifacts_only_forward() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.retain_until IS NOT NULL AND (NEW.retain_until IS NULL OR NEW.retain_until < OLD.retain_until) THEN
        RAISE EXCEPTION 'retain_until of artifact % is never shortened (% to %)',
            OLD.id, OLD.retain_until, NEW.retain_until USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.retain_mode = 'compliance' AND NEW.retain_mode IS DISTINCT FROM 'compliance' THEN
        RAISE EXCEPTION 'compliance retention of artifact % is never weakened', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'purged' AND OLD.state <> 'purged' AND NEW.retain_until > now() THEN
        RAISE EXCEPTION 'artifact % is under retention until %', OLD.id, NEW.retain_until
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'purged' AND NEW.state <> 'purged' THEN
        RAISE EXCEPTION 'artifact % is purged, which is irrevocable', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.events_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.artifacts (
    id uuid NOT NULL,
    name_id uuid NOT NULL,
    tenant text NOT NULL,
    version integer NOT NULL,
    blob_id uuid,
    sha256 bytea NOT NULL,
    size bigint NOT NULL,
    content_type text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    tags jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    accessed_at timestamp with time zone,
    policy_id uuid,
    state text DEFAULT 'live'::text NOT NULL,
    wanted text[] NOT NULL,
    deleted_at timestamp with time zone,
    purge_at timestamp with time zone,
    purged_at timestamp with time zone,
    retain_until timestamp with time zone,
    retain_mode text,
    archived_tiers text[],
    override_kind text,
    override_tiers text[],
    override_until timestamp with time zone,
    not_before timestamp with time zone,
    revision bigint DEFAULT '1'::bigint NOT NULL,
    CONSTRAINT ck_artifacts_deleted_has_purge_at CHECK (((state = 'deleted'::text) <= (purge_at IS NOT NULL))),
    CONSTRAINT ck_artifacts_only_purged_lacks_content CHECK (((state = 'purged'::text) OR (blob_id IS NOT NULL))),
    CONSTRAINT ck_artifacts_override_is_whole CHECK (((override_kind IS NULL) = (override_tiers IS NULL))),
    CONSTRAINT ck_artifacts_override_kind_known CHECK ((override_kind = ANY (ARRAY['add'::text, 'replace'::text]))),
    CONSTRAINT ck_artifacts_purged_wants_nothing CHECK (((state <> 'purged'::text) OR (cardinality(wanted) = 0))),
    CONSTRAINT ck_artifacts_retain_mode_known CHECK ((retain_mode = ANY (ARRAY['governance'::text, 'compliance'::text]))),
    CONSTRAINT ck_artifacts_retention_is_whole CHECK (((retain_until IS NULL) = (retain_mode IS NULL))),
    CONSTRAINT ck_artifacts_state_known CHECK ((state = ANY (ARRAY['live'::text, 'deleted'::text, 'purged'::text]))),
    CONSTRAINT ck_artifacts_version_from_one CHECK ((version >= 1))
);

CREATE TABLE public.blobs (
    id uuid NOT NULL,
    scope text NOT NULL,
    sha256 bytea NOT NULL,
    size bigint NOT NULL,
    CONSTRAINT ck_blobs_sha256_is_32_bytes CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT ck_blobs_size_not_negative CHECK ((size >= 0))
);

CREATE TABLE public.commands (
    tenant text NOT NULL,
    key text NOT NULL,
    item integer NOT NULL,
    verb text NOT NULL,
    arguments_hash bytea NOT NULL,
    result jsonb NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.events (
    subject uuid NOT NULL,
    revision bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    type text NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
)
PARTITION BY RANGE (at);

CREATE TABLE public.events_2026_11 (
    subject uuid CONSTRAINT events_subject_not_null NOT NULL,
    revision bigint CONSTRAINT events_revision_not_null NOT NULL,
    at timestamp with time zone DEFAULT now() CONSTRAINT events_at_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text CONSTRAINT events_actor_not_null NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
);

CREATE TABLE public.events_2026_12 (
    subject uuid CONSTRAINT events_subject_not_null NOT NULL,
    revision bigint CONSTRAINT events_revision_not_null NOT NULL,
    at timestamp with time zone DEFAULT now() CONSTRAINT events_at_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text CONSTRAINT events_actor_not_null NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
);

CREATE TABLE public.events_2027_01 (
    subject uuid CONSTRAINT events_subject_not_null NOT NULL,
    revision bigint CONSTRAINT events_revision_not_null NOT NULL,
    at timestamp with time zone DEFAULT now() CONSTRAINT events_at_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text CONSTRAINT events_actor_not_null NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
);

CREATE TABLE public.events_2027_02 (
    subject uuid CONSTRAINT events_subject_not_null NOT NULL,
    revision bigint CONSTRAINT events_revision_not_null NOT NULL,
    at timestamp with time zone DEFAULT now() CONSTRAINT events_at_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text CONSTRAINT events_actor_not_null NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
);

CREATE TABLE public.events_default (
    subject uuid CONSTRAINT events_subject_not_null NOT NULL,
    revision bigint CONSTRAINT events_revision_not_null NOT NULL,
    at timestamp with time zone DEFAULT now() CONSTRAINT events_at_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL,
    tenant text,
    workflow text,
    name text,
    version integer,
    actor text CONSTRAINT events_actor_not_null NOT NULL,
    before jsonb,
    after jsonb,
    policy text,
    run_id uuid,
    correlation text,
    age_days double precision
);

CREATE TABLE public.holds (
    id uuid NOT NULL,
    artifact_id uuid NOT NULL,
    name text NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    released_by text,
    released_at timestamp with time zone
);

CREATE TABLE public.names (
    id uuid NOT NULL,
    tenant text NOT NULL,
    workflow text NOT NULL,
    name text NOT NULL,
    latest_version integer NOT NULL
);

CREATE TABLE public.placements (
    id uuid NOT NULL,
    blob_id uuid NOT NULL,
    artifact_id uuid,
    tier text NOT NULL,
    location text NOT NULL,
    state text NOT NULL,
    token uuid,
    lease_until timestamp with time zone,
    store_version text,
    stored_size bigint,
    stored_sha256 bytea,
    checksum text,
    cipher text,
    wrapped_key bytea,
    key_id text,
    compression text,
    lock_wanted_until timestamp with time zone,
    locked_until timestamp with time zone,
    placed_by text,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    verified_at timestamp with time zone,
    damaged_at timestamp with time zone,
    doomed_at timestamp with time zone,
    delete_after timestamp with time zone,
    pack_id uuid,
    pack_offset bigint,
    pack_length bigint,
    CONSTRAINT ck_placements_copying_has_lease CHECK (((state <> 'copying'::text) OR (lease_until IS NOT NULL))),
    CONSTRAINT ck_placements_doomed_has_delete_after CHECK (((state <> 'doomed'::text) OR (delete_after IS NOT NULL))),
    CONSTRAINT ck_placements_kept_was_verified CHECK (((state = 'copying'::text) OR (state = 'deleting'::text) OR (stored_size IS NOT NULL))),
    CONSTRAINT ck_placements_maker_has_token CHECK (((state <> ALL (ARRAY['copying'::text, 'deleting'::text])) OR (token IS NOT NULL))),
    CONSTRAINT ck_placements_state_known CHECK ((state = ANY (ARRAY['copying'::text, 'present'::text, 'doomed'::text, 'deleting'::text])))
);

CREATE TABLE public.plan_items (
    plan_id uuid NOT NULL,
    artifact_id uuid NOT NULL,
    revision bigint NOT NULL,
    action text NOT NULL,
    target text[] NOT NULL,
    rule text NOT NULL,
    reason text NOT NULL
);

CREATE TABLE public.plans (
    id uuid NOT NULL,
    as_of timestamp with time zone NOT NULL,
    policies jsonb NOT NULL,
    arguments jsonb DEFAULT '{}'::jsonb NOT NULL,
    summary jsonb DEFAULT '{}'::jsonb NOT NULL,
    by text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    applied_run_id uuid
);

CREATE TABLE public.policies (
    id uuid NOT NULL,
    tenant text,
    name text NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    built_in boolean DEFAULT false NOT NULL,
    active_from timestamp with time zone DEFAULT now() NOT NULL,
    removed_at timestamp with time zone,
    by text NOT NULL
);

CREATE TABLE public.quarantine (
    tier text NOT NULL,
    location text NOT NULL,
    store_version text DEFAULT ''::text NOT NULL,
    size bigint,
    first_seen timestamp with time zone NOT NULL,
    seen_again timestamp with time zone
);

CREATE TABLE public.runs (
    id uuid NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    dry boolean DEFAULT false NOT NULL,
    tenant text,
    arguments jsonb DEFAULT '{}'::jsonb NOT NULL,
    as_of timestamp with time zone DEFAULT now() NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    bytes bigint DEFAULT '0'::bigint NOT NULL,
    errors bigint DEFAULT '0'::bigint NOT NULL,
    actor text NOT NULL,
    approval jsonb,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT ck_runs_state_known CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'awaiting approval'::text, 'abandoned'::text])))
);

CREATE TABLE public.schedule (
    artifact_id uuid NOT NULL,
    tenant text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    step text NOT NULL,
    lease_token uuid,
    lease_until timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    parked_reason text
)
WITH (fillfactor='70');

CREATE TABLE public.staging (
    name uuid NOT NULL,
    state text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.switches (
    name text NOT NULL,
    value jsonb NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.tenants (
    id text NOT NULL,
    scope text NOT NULL,
    key_reference text,
    state text DEFAULT 'active'::text NOT NULL,
    budgets jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2026_11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2026_12 FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2027_01 FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00');

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2027_02 FOR VALUES FROM ('2027-02-01 00:00:00+00') TO ('2027-03-01 00:00:00+00');

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_default DEFAULT;

INSERT INTO public.alembic_version VALUES ('0002');

INSERT INTO public.artifacts VALUES ('01a22a7b-b5a6-76cf-ab46-0efe054ef86d', '01a22a7b-b5c9-7086-bd9b-7f19953f2114', 'acme', 1, '01a22a7b-b5ab-76b0-ab83-342a28f18cc9', '\xa7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e', 5, 'text/plain', '{}', '{}', '2026-11-30 03:24:40.216171+00', '2026-11-30 03:24:40.269122+00', NULL, '01a22a7b-872f-721d-b00e-1173c04e83d6', 'live', '{hot}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO public.artifacts VALUES ('01a22a7b-dfbf-7001-a87d-cfb18cb3911d', '01a22a7b-b5c9-7086-bd9b-7f19953f2114', 'acme', 2, '01a22a7b-dfc7-73b9-96a2-e67fe1730f2d', '\x16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4', 6, 'text/plain', '{}', '{}', '2026-11-30 03:24:50.993823+00', '2026-11-30 03:24:51.057159+00', NULL, '01a22a7b-872f-721d-b00e-1173c04e83d6', 'live', '{hot}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO public.artifacts VALUES ('01a22a7c-0d9c-7681-bdb7-bc38218f2e27', '01a22a7c-0dc8-776b-9499-cefc2dc33a6d', 'acme', 1, '01a22a7c-0da0-77b2-8eab-9fe39959b750', '\x70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9', 6, 'text/plain', '{}', '{}', '2026-10-21 03:25:02.053954+00', '2026-11-30 03:25:02.795662+00', NULL, '01a22a7b-872f-721d-b00e-1173c04e83d6', 'live', '{hot}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO public.artifacts VALUES ('01a22a7c-5b50-7659-815c-4347c2fb1f49', '01a22a7c-5b70-74c4-a4ed-9219db4fae14', 'acme', 1, '01a22a7b-dfc7-73b9-96a2-e67fe1730f2d', '\x16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4', 6, 'text/plain', '{}', '{}', '2026-11-30 03:25:22.627043+00', '2026-11-30 03:25:22.680229+00', NULL, '01a22a7b-872f-721d-b00e-1173c04e83d6', 'deleted', '{hot}', '2026-11-30 03:25:30.988858+00', '2026-12-07 03:25:30.988858+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2);

INSERT INTO public.blobs VALUES ('01a22a7b-b5ab-76b0-ab83-342a28f18cc9', 'acme', '\xa7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e', 5);
INSERT INTO public.blobs VALUES ('01a22a7c-0da0-77b2-8eab-9fe39959b750', 'acme', '\x70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9', 6);
INSERT INTO public.blobs VALUES ('01a22a7b-dfc7-73b9-96a2-e67fe1730f2d', 'acme', '\x16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4', 6);

INSERT INTO public.commands VALUES ('acme', '4bdbd4c9-0953-4b14-8663-2bd2720d8103', 0, 'store', '\x9ec77ab8ce5cce430b248137d9a08d554fa104102aaec2de1c6b811843821e78', '{"ref": {"name": "one.txt", "tenant": "acme", "version": 1, "workflow": "reports"}, "size": 5, "tiers": ["hot"], "sha256": "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e", "outcome": "stored", "artifact": "01a22a7b-b5a6-76cf-ab46-0efe054ef86d"}', '2026-11-30 03:24:40.261021+00');
INSERT INTO public.commands VALUES ('acme', '78587ed5-7608-4a56-a6ed-b825ed30656d', 0, 'store', '\x9ec77ab8ce5cce430b248137d9a08d554fa104102aaec2de1c6b811843821e78', '{"ref": {"name": "one.txt", "tenant": "acme", "version": 2, "workflow": "reports"}, "size": 6, "tiers": ["hot"], "sha256": "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4", "outcome": "stored", "artifact": "01a22a7b-dfbf-7001-a87d-cfb18cb3911d"}', '2026-11-30 03:24:51.045179+00');
INSERT INTO public.commands VALUES ('acme', '2c9bac56-13fe-4b92-874e-c44092f7faf8', 0, 'store', '\x6c7e79a018c28452cb78f7d82a62e1e7cb482f7eec9129ba97203656f797c615', '{"ref": {"name": "three.txt", "tenant": "acme", "version": 1, "workflow": "reports"}, "size": 6, "tiers": ["hot"], "sha256": "70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9", "outcome": "stored", "artifact": "01a22a7c-0d9c-7681-bdb7-bc38218f2e27"}', '2026-11-30 03:25:02.789003+00');
INSERT INTO public.commands VALUES ('acme', 'b27ae4b1-c97d-4fe5-90d6-903e89d51678', 0, 'store', '\xfedb483a774b6f33ca67dce1c8d5c6160a0e71e99812bdf318e8bf77a2d02313', '{"ref": {"name": "gone.txt", "tenant": "acme", "version": 1, "workflow": "reports"}, "size": 6, "tiers": ["hot"], "sha256": "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4", "outcome": "deduplicated", "artifact": "01a22a7c-5b50-7659-815c-4347c2fb1f49"}', '2026-11-30 03:25:22.665263+00');
INSERT INTO public.commands VALUES ('acme', '76104600-7c57-452c-94cf-7231dcfd240e', 0, 'purge', '\x0eaeaeea13c11a9963eba96586758656dafab8d563c8d5c0e1846d9064f6af68', '{"results": [{"ref": ["acme", "reports", "gone.txt", 1], "state": "deleted", "detail": "can be undeleted until 2026-12-07 03:25 UTC", "wanted": ["hot"], "outcome": "done", "artifact": "01a22a7c-5b50-7659-815c-4347c2fb1f49", "purge_at": "2026-12-07T03:25:30.988858+00:00"}]}', '2026-11-30 03:25:30.97805+00');

INSERT INTO public.events_2026_11 VALUES ('01a22a7b-872f-721d-b00e-1173c04e83d6', 1, '2026-11-30 03:24:28.328961+00', 'policy applied', NULL, NULL, NULL, NULL, 'settings', NULL, '{"name": "default", "undo": "7d", "clock": "created", "match": {}, "write": "hottest", "phases": [{"in": ["hot"], "after": "0d"}, {"in": ["warm"], "after": "7d"}, {"in": ["cold"], "after": "30d"}, {"in": [], "after": "90d"}]}', NULL, NULL, NULL, NULL);
INSERT INTO public.events_2026_11 VALUES ('01a22a7b-873e-72a2-a66a-4ccf2996b98e', 1, '2026-11-30 03:24:28.34808+00', 'policy applied', NULL, NULL, NULL, NULL, 'settings', NULL, '{"name": "record", "undo": "7d", "clock": "created", "match": {"tags": {"kind": "record"}, "content_type": "application/json"}, "write": "all", "phases": [{"in": ["cold", "records"], "after": "0d"}, {"in": ["cold"], "after": "90d"}]}', NULL, NULL, NULL, NULL);
INSERT INTO public.events_2026_11 VALUES ('01a22a7b-b5a6-76cf-ab46-0efe054ef86d', 1, '2026-11-30 03:24:40.269122+00', 'stored', 'acme', 'reports', 'one.txt', 1, 'cli:shop', NULL, '{"size": 5, "state": "live", "wanted": ["hot"], "present": ["hot"]}', 'default v1: phase 0d', NULL, 'f3279159-039e-4762-8cea-a2a46878af8e', 0);
INSERT INTO public.events_2026_11 VALUES ('01a22a7b-dfbf-7001-a87d-cfb18cb3911d', 1, '2026-11-30 03:24:51.057159+00', 'stored', 'acme', 'reports', 'one.txt', 2, 'cli:shop', NULL, '{"size": 6, "state": "live", "wanted": ["hot"], "present": ["hot"]}', 'default v1: phase 0d', NULL, '63ca1921-beed-4a10-9507-3cacec9f6511', 0);
INSERT INTO public.events_2026_11 VALUES ('01a22a7c-0d9c-7681-bdb7-bc38218f2e27', 1, '2026-11-30 03:25:02.795662+00', 'stored', 'acme', 'reports', 'three.txt', 1, 'cli:shop', NULL, '{"size": 6, "state": "live", "wanted": ["hot"], "present": ["hot"]}', 'default v1: phase 0d', NULL, 'ccb61813-e66a-4c56-b787-fb0daa2f84e9', 40);
INSERT INTO public.events_2026_11 VALUES ('01a22a7c-5b50-7659-815c-4347c2fb1f49', 1, '2026-11-30 03:25:22.680229+00', 'stored', 'acme', 'reports', 'gone.txt', 1, 'cli:shop', NULL, '{"size": 6, "state": "live", "wanted": ["hot"], "present": ["hot"]}', 'default v1: phase 0d', NULL, 'ddafa79e-617b-4255-8ed8-9d5035a6a69c', 0);
INSERT INTO public.events_2026_11 VALUES ('01a22a7c-5b50-7659-815c-4347c2fb1f49', 2, '2026-11-30 03:25:30.988858+00', 'deleted', 'acme', 'reports', 'gone.txt', 1, 'cli:shop', '{"state": "live", "wanted": ["hot"]}', '{"state": "deleted", "wanted": ["hot"], "purge_at": "2026-12-07T03:25:30.988858+00:00"}', 'verb purge', NULL, '66f0fbf8-150f-4bf3-bdcc-35902d0bc1ca', 0);

INSERT INTO public.names VALUES ('01a22a7b-b5c9-7086-bd9b-7f19953f2114', 'acme', 'reports', 'one.txt', 2);
INSERT INTO public.names VALUES ('01a22a7c-0dc8-776b-9499-cefc2dc33a6d', 'acme', 'reports', 'three.txt', 1);
INSERT INTO public.names VALUES ('01a22a7c-5b70-74c4-a4ed-9219db4fae14', 'acme', 'reports', 'gone.txt', 1);

INSERT INTO public.placements VALUES ('01a22a7b-b5b5-75eb-8305-677f3503e15c', '01a22a7b-b5ab-76b0-ab83-342a28f18cc9', '01a22a7b-b5a6-76cf-ab46-0efe054ef86d', 'hot', 'acme/reports/one.txt/1-01a22a7b-b5b5-75eb-8305-677f3503e15c', 'present', '01a22a7b-b5a6-76cf-ab46-0effa168f184', NULL, NULL, 5, '\xa7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e', 'sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e', NULL, NULL, NULL, NULL, NULL, NULL, 'default v1: phase 0d', '2026-11-30 03:24:40.231389+00', '2026-11-30 03:24:40.269122+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.placements VALUES ('01a22a7b-dfcd-7439-bb0b-744996fe11e6', '01a22a7b-dfc7-73b9-96a2-e67fe1730f2d', '01a22a7b-dfbf-7001-a87d-cfb18cb3911d', 'hot', 'acme/reports/one.txt/2-01a22a7b-dfcd-7439-bb0b-744996fe11e6', 'present', '01a22a7b-dfbf-7001-a87d-cfb2915341f2', NULL, NULL, 6, '\x16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4', 'sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4', NULL, NULL, NULL, NULL, NULL, NULL, 'default v1: phase 0d', '2026-11-30 03:24:51.012641+00', '2026-11-30 03:24:51.057159+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.placements VALUES ('01a22a7c-0da6-766b-b20a-e052d1a0b921', '01a22a7c-0da0-77b2-8eab-9fe39959b750', '01a22a7c-0d9c-7681-bdb7-bc38218f2e27', 'hot', 'acme/reports/three.txt/1-01a22a7c-0da6-766b-b20a-e052d1a0b921', 'present', '01a22a7c-0d9c-7681-bdb7-bc393d47938e', NULL, NULL, 6, '\x70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9', 'sha256:70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9', NULL, NULL, NULL, NULL, NULL, NULL, 'default v1: phase 0d', '2026-11-30 03:25:02.749558+00', '2026-11-30 03:25:02.795662+00', NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO public.policies VALUES ('01a22a7b-872f-721d-b00e-1173c04e83d6', NULL, 'default', 1, '{"name": "default", "undo": "7d", "clock": "created", "match": {}, "write": "hottest", "phases": [{"in": ["hot"], "after": "0d"}, {"in": ["warm"], "after": "7d"}, {"in": ["cold"], "after": "30d"}, {"in": [], "after": "90d"}]}', true, '2026-11-30 03:24:28.328961+00', NULL, 'settings');
INSERT INTO public.policies VALUES ('01a22a7b-873e-72a2-a66a-4ccf2996b98e', NULL, 'record', 1, '{"name": "record", "undo": "7d", "clock": "created", "match": {"tags": {"kind": "record"}, "content_type": "application/json"}, "write": "all", "phases": [{"in": ["cold", "records"], "after": "0d"}, {"in": ["cold"], "after": "90d"}]}', true, '2026-11-30 03:24:28.34808+00', NULL, 'settings');

INSERT INTO public.runs VALUES ('01a22a7b-8740-754d-8822-2b5cb5c62f8a', 'recompute', 'done', false, NULL, '{"after": "00000000-0000-0000-0000-000000000000", "policies": ["default v1", "record v1"]}', '2026-11-30 03:24:28.305902+00', '{}', 0, 0, 'settings', NULL, '2026-11-30 03:24:28.305902+00', '2026-11-30 03:24:28.39927+00', '2026-11-30 03:24:28.39927+00');

INSERT INTO public.schedule VALUES ('01a22a7b-b5a6-76cf-ab46-0efe054ef86d', 'acme', '2026-12-07 03:24:40.216171+00', 'move to warm', NULL, NULL, 0, 0, NULL);
INSERT INTO public.schedule VALUES ('01a22a7b-dfbf-7001-a87d-cfb18cb3911d', 'acme', '2026-12-07 03:24:50.993823+00', 'move to warm', NULL, NULL, 0, 0, NULL);
INSERT INTO public.schedule VALUES ('01a22a7c-0d9c-7681-bdb7-bc38218f2e27', 'acme', '2026-11-30 03:25:02.795662+00', 'move to cold', NULL, NULL, 0, 0, NULL);
INSERT INTO public.schedule VALUES ('01a22a7c-5b50-7659-815c-4347c2fb1f49', 'acme', '2026-12-07 03:25:30.988858+00', 'destroy', NULL, NULL, 0, 0, NULL);

INSERT INTO public.switches VALUES ('deletes_enabled', 'true', 'init', 'the default', '2026-11-30 03:24:27.765738+00');
INSERT INTO public.switches VALUES ('epoch', '1', 'init', 'a new catalog', '2026-11-30 03:24:27.765738+00');

INSERT INTO public.tenants VALUES ('acme', 'acme', NULL, 'active', '{}', '2026-11-30 03:24:40.231389+00');

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.events_2026_11
    ADD CONSTRAINT events_2026_11_pkey PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.events_2026_12
    ADD CONSTRAINT events_2026_12_pkey PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.events_2027_01
    ADD CONSTRAINT events_2027_01_pkey PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.events_2027_02
    ADD CONSTRAINT events_2027_02_pkey PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (subject, revision, at);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (id);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT pk_blobs PRIMARY KEY (id);

ALTER TABLE ONLY public.commands
    ADD CONSTRAINT pk_commands PRIMARY KEY (tenant, key, item);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT pk_holds PRIMARY KEY (id);

ALTER TABLE ONLY public.names
    ADD CONSTRAINT pk_names PRIMARY KEY (id);

ALTER TABLE ONLY public.placements
    ADD CONSTRAINT pk_placements PRIMARY KEY (id);

ALTER TABLE ONLY public.plan_items
    ADD CONSTRAINT pk_plan_items PRIMARY KEY (plan_id, artifact_id);

ALTER TABLE ONLY public.plans
    ADD CONSTRAINT pk_plans PRIMARY KEY (id);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT pk_policies PRIMARY KEY (id);

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT pk_quarantine PRIMARY KEY (tier, location, store_version);

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT pk_runs PRIMARY KEY (id);

ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT pk_schedule PRIMARY KEY (artifact_id);

ALTER TABLE ONLY public.staging
    ADD CONSTRAINT pk_staging PRIMARY KEY (name);

ALTER TABLE ONLY public.switches
    ADD CONSTRAINT pk_switches PRIMARY KEY (name);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT pk_tenants PRIMARY KEY (id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT uq_artifacts_name_id_version UNIQUE (name_id, version);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT uq_blobs_scope_sha256 UNIQUE (scope, sha256);

ALTER TABLE ONLY public.names
    ADD CONSTRAINT uq_names_tenant_workflow_name UNIQUE (tenant, workflow, name);

ALTER TABLE ONLY public.placements
    ADD CONSTRAINT uq_placements_tier_location UNIQUE (tier, location);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT uq_policies_name_version UNIQUE (name, version);

CREATE INDEX ix_events_at ON ONLY public.events USING btree (at);

CREATE INDEX events_2026_11_at_idx ON public.events_2026_11 USING btree (at);

CREATE INDEX ix_events_tenant_at ON ONLY public.events USING btree (tenant, at);

CREATE INDEX events_2026_11_tenant_at_idx ON public.events_2026_11 USING btree (tenant, at);

CREATE INDEX events_2026_12_at_idx ON public.events_2026_12 USING btree (at);

CREATE INDEX events_2026_12_tenant_at_idx ON public.events_2026_12 USING btree (tenant, at);

CREATE INDEX events_2027_01_at_idx ON public.events_2027_01 USING btree (at);

CREATE INDEX events_2027_01_tenant_at_idx ON public.events_2027_01 USING btree (tenant, at);

CREATE INDEX events_2027_02_at_idx ON public.events_2027_02 USING btree (at);

CREATE INDEX events_2027_02_tenant_at_idx ON public.events_2027_02 USING btree (tenant, at);

CREATE INDEX events_default_at_idx ON public.events_default USING btree (at);

CREATE INDEX events_default_tenant_at_idx ON public.events_default USING btree (tenant, at);

CREATE INDEX ix_artifacts_blob_id ON public.artifacts USING btree (blob_id) WHERE (blob_id IS NOT NULL);

CREATE INDEX ix_artifacts_tenant_state ON public.artifacts USING btree (tenant, state);

CREATE INDEX ix_commands_at ON public.commands USING btree (at);

CREATE INDEX ix_placements_blob_id ON public.placements USING btree (blob_id);

CREATE INDEX ix_placements_doomed ON public.placements USING btree (delete_after) WHERE (state = 'doomed'::text);

CREATE INDEX ix_placements_leased ON public.placements USING btree (lease_until) WHERE (state = ANY (ARRAY['copying'::text, 'deleting'::text]));

CREATE INDEX ix_plan_items_artifact_id ON public.plan_items USING btree (artifact_id);

CREATE INDEX ix_runs_kind_started_at ON public.runs USING btree (kind, started_at);

CREATE INDEX ix_runs_running ON public.runs USING btree (kind) WHERE (state = 'running'::text);

CREATE INDEX ix_schedule_due_at ON public.schedule USING btree (due_at) WHERE (parked_reason IS NULL);

CREATE INDEX ix_schedule_parked ON public.schedule USING btree (tenant) WHERE (parked_reason IS NOT NULL);

CREATE INDEX ix_staging_expires_at ON public.staging USING btree (expires_at);

CREATE UNIQUE INDEX uq_holds_active ON public.holds USING btree (artifact_id, name) WHERE (released_at IS NULL);

CREATE UNIQUE INDEX uq_placements_present ON public.placements USING btree (blob_id, tier) WHERE (state = 'present'::text);

CREATE UNIQUE INDEX uq_policies_active ON public.policies USING btree (name) WHERE (removed_at IS NULL);

ALTER INDEX public.ix_events_at ATTACH PARTITION public.events_2026_11_at_idx;

ALTER INDEX public.pk_events ATTACH PARTITION public.events_2026_11_pkey;

ALTER INDEX public.ix_events_tenant_at ATTACH PARTITION public.events_2026_11_tenant_at_idx;

ALTER INDEX public.ix_events_at ATTACH PARTITION public.events_2026_12_at_idx;

ALTER INDEX public.pk_events ATTACH PARTITION public.events_2026_12_pkey;

ALTER INDEX public.ix_events_tenant_at ATTACH PARTITION public.events_2026_12_tenant_at_idx;

ALTER INDEX public.ix_events_at ATTACH PARTITION public.events_2027_01_at_idx;

ALTER INDEX public.pk_events ATTACH PARTITION public.events_2027_01_pkey;

ALTER INDEX public.ix_events_tenant_at ATTACH PARTITION public.events_2027_01_tenant_at_idx;

ALTER INDEX public.ix_events_at ATTACH PARTITION public.events_2027_02_at_idx;

ALTER INDEX public.pk_events ATTACH PARTITION public.events_2027_02_pkey;

ALTER INDEX public.ix_events_tenant_at ATTACH PARTITION public.events_2027_02_tenant_at_idx;

ALTER INDEX public.ix_events_at ATTACH PARTITION public.events_default_at_idx;

ALTER INDEX public.pk_events ATTACH PARTITION public.events_default_pkey;

ALTER INDEX public.ix_events_tenant_at ATTACH PARTITION public.events_default_tenant_at_idx;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events_2026_11 FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events_2026_12 FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events_2027_01 FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events_2027_02 FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.events_default FOR EACH STATEMENT EXECUTE FUNCTION public.events_append_only();

CREATE TRIGGER only_forward BEFORE UPDATE OF retain_until, retain_mode, state ON public.artifacts FOR EACH ROW EXECUTE FUNCTION public.artifacts_only_forward();

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT fk_artifacts_blob_id_blobs FOREIGN KEY (blob_id) REFERENCES public.blobs(id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT fk_artifacts_name_id_names FOREIGN KEY (name_id) REFERENCES public.names(id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT fk_artifacts_policy_id_policies FOREIGN KEY (policy_id) REFERENCES public.policies(id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT fk_artifacts_tenant_tenants FOREIGN KEY (tenant) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT fk_holds_artifact_id_artifacts FOREIGN KEY (artifact_id) REFERENCES public.artifacts(id);

ALTER TABLE ONLY public.names
    ADD CONSTRAINT fk_names_tenant_tenants FOREIGN KEY (tenant) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.placements
    ADD CONSTRAINT fk_placements_blob_id_blobs FOREIGN KEY (blob_id) REFERENCES public.blobs(id);

ALTER TABLE ONLY public.plan_items
    ADD CONSTRAINT fk_plan_items_plan_id_plans FOREIGN KEY (plan_id) REFERENCES public.plans(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT fk_schedule_artifact_id_artifacts FOREIGN KEY (artifact_id) REFERENCES public.artifacts(id);

