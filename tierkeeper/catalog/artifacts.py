"""Artifacts and their names: batches of them read and locked, and the columns that a commit writes."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from models.artifact import ARTIFACTS
from models.name import NAMES
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import recordset
from tierkeeper.catalog.conditions import UNREADABLE
from tierkeeper.catalog.json_values import UnreadableJson
from tierkeeper.catalog.rows import ArtifactRow, EndedArtifact
from tierkeeper.catalog.statements import listed, typed
from tierkeeper.values.artifacts import Ref

# no further than any active policy asks: a name may have any number of versions
_NEWER_LIVE = """
    CASE WHEN n.latest_version > a.version THEN (
        SELECT count(*)
        FROM (
            SELECT FROM artifacts newer
            WHERE newer.name_id = a.name_id AND newer.version > a.version AND newer.state = 'live'
            ORDER BY newer.version DESC
            LIMIT (
                SELECT coalesce(max((p.document -> 'versions' ->> 'keep')::bigint), 0)
                FROM policies p
                WHERE p.removed_at IS NULL
            )
        ) AS counted
    ) ELSE 0 END
"""
COLUMNS = listed(
    ArtifactRow.__dataclass_fields__,
    table="a",
    workflow="n.workflow",
    name="n.name",
    holds="ARRAY(SELECT h.name FROM holds h WHERE h.artifact_id = a.id AND h.released_at IS NULL ORDER BY h.name)",
    newer_live=_NEWER_LIVE,
)
FROM = "FROM artifacts a JOIN names n ON n.id = a.name_id"
#: the same for the expression language
ARTIFACT: Final = ARTIFACTS.alias("a")
NAME: Final = NAMES.alias("n")
NAMED: Final = ARTIFACT.join(NAME, NAME.c.id == ARTIFACT.c.name_id)

_LOAD = sa.text(f"SELECT {COLUMNS} {FROM} WHERE a.id = ANY(:ids) ORDER BY a.id")
_LOCK = sa.text("SELECT id FROM artifacts WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_BLOBS_OF = sa.text("SELECT DISTINCT blob_id FROM artifacts WHERE id = ANY(:ids) AND blob_id IS NOT NULL")
_OF_BLOBS = sa.text(f"SELECT {COLUMNS} {FROM} WHERE a.blob_id = ANY(:blobs)")
_SOME_COUNTED = sa.text("""
    SELECT any_of.id, any_of.tenant
    FROM unnest(:blobs) AS b(id)
        CROSS JOIN LATERAL (
            SELECT a.id, a.tenant
            FROM artifacts a
            WHERE a.blob_id = b.id AND a.state <> 'purged'
            ORDER BY a.wanted DESC  -- purged ones, of which there may be any number, want nothing and come last
            LIMIT :limit
        ) AS any_of
""").bindparams(*typed(blobs="uuid[]"))
# any number of artifacts may have one content: from each wish the index leads to the next one, whoever has it
_SIBLING_WANTS = sa.text("""
    WITH RECURSIVE wish AS (
        SELECT id AS blob_id, CAST('{}' AS text[]) AS wanted
        FROM unnest(:blobs) AS b(id)
        UNION ALL
        SELECT wish.blob_id, further.wanted
        FROM wish
            CROSS JOIN LATERAL (
                SELECT a.wanted
                FROM artifacts a
                WHERE a.blob_id = wish.blob_id
                    AND a.wanted > wish.wanted
                    AND a.state IN ('live', 'deleted')
                    AND NOT a.id = ANY(:batch)
                ORDER BY a.wanted LIMIT 1
            ) AS further
    )
    SELECT blob_id, wanted FROM wish WHERE wanted <> '{}'
""").bindparams(*typed(blobs="uuid[]", batch="uuid[]"))
_BY_NAME = f"SELECT {COLUMNS} {FROM} WHERE n.tenant = :tenant AND n.workflow = :workflow AND n.name = :name"
_ONE_VERSION = sa.text(f"{_BY_NAME} AND a.version = :version")
_NAME = "SELECT id FROM names WHERE tenant = :tenant AND workflow = :workflow AND name = :name"
# by the name's id: of a join with the name, the planner would sort all versions, of which there may be any number
_NEWEST_VERSIONS = sa.text(f"""
    SELECT {COLUMNS}
    {FROM}
    WHERE a.id = ANY(ARRAY(
            SELECT id
            FROM artifacts
            WHERE name_id = ({_NAME})
                AND state <> 'purged'
            ORDER BY version DESC LIMIT :limit
        ))
    ORDER BY a.version DESC
""")
_FIRST_STORED = sa.text(f"""
    SELECT stored_at
    FROM artifacts
    WHERE name_id = ({_NAME}) AND (:version IS NULL OR version = :version)
    ORDER BY version LIMIT 1
""").bindparams(*typed(version="bigint"))
_LATEST = sa.text(f"{_BY_NAME} AND a.version = n.latest_version")
# by the names: what the statistics say of their artifacts is wrong where one name has many versions
_LATEST_OF_NAMES = sa.text(f"SELECT {COLUMNS} {FROM} WHERE n.id = ANY(:names) AND a.version = n.latest_version")
_TAKE_NAMES = sa.text("""
    INSERT INTO names (id, tenant, workflow, name, latest_version)
    SELECT id, tenant, workflow, name, 0
    FROM unnest(:ids, :tenants, :workflows, :names) AS w(id, tenant, workflow, name)
    ORDER BY tenant, workflow, name
    ON CONFLICT (tenant, workflow, name) DO UPDATE SET latest_version = names.latest_version
    RETURNING id, tenant, workflow, name, latest_version
""").bindparams(*typed(ids="uuid[]", tenants="text[]", workflows="text[]", names="text[]"))
_LATEST_NUMBERS = sa.text("""
    SELECT tenant, workflow, name, latest_version
    FROM names
        JOIN unnest(:tenants, :workflows, :names) AS w(tenant, workflow, name) USING (tenant, workflow, name)
""").bindparams(*typed(tenants="text[]", workflows="text[]", names="text[]"))
_SET_LATEST = sa.text("""
    UPDATE names
    SET latest_version = w.version
    FROM unnest(:ids, :versions) AS w(id, version)
    WHERE names.id = w.id
""").bindparams(*typed(ids="uuid[]", versions="bigint[]"))
_SET_REVISIONS = sa.text("""
    UPDATE artifacts
    SET revision = w.revision
    FROM unnest(:ids, :revisions) AS w(id, revision)
    WHERE artifacts.id = w.id
""").bindparams(*typed(ids="uuid[]", revisions="bigint[]"))
# only this many of the newest versions are read: older ones became surplus, and due, at an earlier store
_SURPLUS = sa.text("""
    SELECT id
    FROM (
        SELECT id, row_number() OVER (ORDER BY version DESC) AS place
        FROM (
            SELECT id, version, state
            FROM artifacts
            WHERE name_id = :name
            ORDER BY version DESC LIMIT :keep + 1000
        ) AS newest
        WHERE state = 'live'
    ) AS ranked
    WHERE place > :keep
""")
_ACCESSED = sa.text(f"""
    UPDATE artifacts
    SET accessed_at = w.at
    FROM unnest(:ids, :times) AS w(id, at)
    WHERE artifacts.id = w.id
        AND (artifacts.accessed_at IS NULL OR artifacts.accessed_at < w.at)
        AND ({UNREADABLE}) IS NOT TRUE  -- an UPDATE mends such a row, and no event tells it
""").bindparams(*typed(ids="uuid[]", times="timestamptz[]"))
#: each blob by its index, as :mod:`tierkeeper.catalog.unchanged` says, not all that is placed or purged for each
_FORGET_BLOBS = sa.text(f"""
    WITH bare AS (
        SELECT b.id
        FROM unnest(:blobs) AS b(id)
        WHERE (
                SELECT true
                FROM placements p
                WHERE p.blob_id = b.id
                    AND NOT (p.id = ANY(:gone) AND p.state = 'deleting' AND p.token = :token)
                LIMIT 1
            ) IS NULL
    ),
    chosen AS MATERIALIZED (
        SELECT ended.id, ended.name_id
        FROM bare
            CROSS JOIN LATERAL (
                SELECT a.id, a.name_id
                FROM (SELECT id, name_id, state FROM artifacts WHERE blob_id = bare.id OFFSET 0) AS a
                WHERE a.state = 'purged'
                LIMIT :limit
            ) AS ended
        LIMIT :limit
    )
    UPDATE artifacts a
    SET blob_id = NULL, revision = a.revision + 1
    FROM chosen
        JOIN names n ON n.id = chosen.name_id
    WHERE a.id = chosen.id
    RETURNING {listed(EndedArtifact.__dataclass_fields__, table="a", workflow="n.workflow", name="n.name")}
""").bindparams(*typed(blobs="uuid[]", gone="uuid[]"))
#: artifacts that are read at once
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class NameHead:
    """A locked name and its latest version (0 where it is new)."""

    id: UUID
    latest: int


def load(connection: sa.Connection, ids: Collection[UUID]) -> list[ArtifactRow]:
    """Return these artifacts in the order of their ids."""
    return read_rows(connection.execute(_LOAD, {"ids": list(ids)}))


def lock_only(connection: sa.Connection, ids: Collection[UUID]) -> None:
    """Lock these artifacts in the order of their ids."""
    connection.execute(_LOCK, {"ids": list(ids)})


def lock(connection: sa.Connection, ids: Collection[UUID]) -> list[ArtifactRow]:
    """Lock these artifacts in the order of their ids, then read them as they now are."""
    lock_only(connection, ids)
    return load(connection, ids)


def blobs_of(connection: sa.Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return the blobs of these artifacts."""
    return set(connection.execute(_BLOBS_OF, {"ids": list(ids)}).scalars().all())


def of_blobs(connection: sa.Connection, blobs: Collection[UUID]) -> Iterator[ArtifactRow]:
    """Yield every artifact, in whatever state, that has one of these blobs, as of the moment of the first.

    There may be any number: they are read some at a time, in no order. The caller takes all of them.
    """
    given = {"blobs": list(blobs)}
    with connection.execute(_OF_BLOBS, given, execution_options={"yield_per": _AT_ONCE}) as rows:
        for part in rows.partitions(_AT_ONCE):
            yield from map(_row, part)


def some_counted(connection: sa.Connection, blobs: Collection[UUID], *, limit: int) -> list[tuple[UUID, str]]:
    """Return (artifact, tenant) of up to ``limit`` counted artifacts of each of these blobs: any can stand for all."""
    return [(r.id, r.tenant) for r in connection.execute(_SOME_COUNTED, {"blobs": list(blobs), "limit": limit})]


def sibling_wants(
    connection: sa.Connection, blobs: Collection[UUID], *, batch: Collection[UUID]
) -> dict[UUID, set[str]]:
    """Return the tiers that counted artifacts of these blobs outside the batch wanted at their last commits (R7)."""
    wants: dict[UUID, set[str]] = {}
    for blob, wanted in connection.execute(_SIBLING_WANTS, {"blobs": list(blobs), "batch": list(batch)}).all():
        wants.setdefault(blob, set()).update(wanted)
    return wants


def by_ref(connection: sa.Connection, ref: Ref) -> ArtifactRow | None:
    """Return the version that ``ref`` names, the latest without one; None if there is no such artifact."""
    arguments: dict[str, Any] = {"tenant": ref.tenant, "workflow": ref.workflow, "name": ref.name}
    if ref.version is None:
        rows = read_rows(connection.execute(_LATEST, arguments))
    else:
        rows = read_rows(connection.execute(_ONE_VERSION, {**arguments, "version": ref.version}))
    return rows[0] if rows else None


def newest_versions(connection: sa.Connection, ref: Ref, *, limit: int) -> list[ArtifactRow]:
    """Return up to ``limit`` versions of the name that are not purged, newest first."""
    arguments = {"tenant": ref.tenant, "workflow": ref.workflow, "name": ref.name, "limit": limit}
    return read_rows(connection.execute(_NEWEST_VERSIONS, arguments))


def first_stored(connection: sa.Connection, ref: Ref) -> datetime | None:
    """Return when the version that ``ref`` names was stored, without one the first of the name; None if none was."""
    arguments = {"tenant": ref.tenant, "workflow": ref.workflow, "name": ref.name, "version": ref.version}
    found: datetime | None = connection.execute(_FIRST_STORED, arguments).scalar()
    return found


def versions_of(ref: Ref) -> sa.Select[UUID]:
    """Return the query of the ids that ``ref`` names: one version, or without one all of the name."""
    named = (NAME.c.tenant == ref.tenant, NAME.c.workflow == ref.workflow, NAME.c.name == ref.name)
    one = () if ref.version is None else (ARTIFACT.c.version == ref.version,)
    return sa.select(ARTIFACT.c.id).select_from(NAMED).where(*named, *one)


def take_names(
    connection: sa.Connection, names: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], NameHead]:
    """Lock these (tenant, workflow, name), making those that are missing."""
    distinct = sorted(set(names))
    rows = connection.execute(
        _TAKE_NAMES,
        {
            "ids": [new_id() for _ in distinct],
            "tenants": [n[0] for n in distinct],
            "workflows": [n[1] for n in distinct],
            "names": [n[2] for n in distinct],
        },
    )
    return {(row.tenant, row.workflow, row.name): NameHead(row.id, row.latest_version) for row in rows}


def latest_numbers(
    connection: sa.Connection, names: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """Return the latest version number of each (tenant, workflow, name) as of now, 0 for new ones; no lock."""
    distinct = sorted(set(names))
    rows = connection.execute(
        _LATEST_NUMBERS,
        {"tenants": [n[0] for n in distinct], "workflows": [n[1] for n in distinct], "names": [n[2] for n in distinct]},
    )
    return dict.fromkeys(distinct, 0) | {(r.tenant, r.workflow, r.name): r.latest_version for r in rows}


def latest_of_names(connection: sa.Connection, names: Iterable[UUID]) -> dict[UUID, ArtifactRow]:
    """Return the latest version of each of these names, by the name's id."""
    return {row.name_id: row for row in read_rows(connection.execute(_LATEST_OF_NAMES, {"names": list(names)}))}


def set_latest(connection: sa.Connection, versions_of: dict[UUID, int]) -> None:
    """Write the latest version number of these locked names."""
    connection.execute(_SET_LATEST, {"ids": list(versions_of), "versions": list(versions_of.values())})


def insert(connection: sa.Connection, rows: Sequence[ArtifactRow]) -> None:
    """Insert new artifacts: live, at revision 1, with no wish of a verb."""
    new = [
        {
            "id": row.id,
            "name_id": row.name_id,
            "tenant": row.tenant,
            "version": row.version,
            "blob_id": row.blob_id,
            "sha256": row.sha256,
            "size": row.size,
            "content_type": row.content_type,
            "metadata": dict(row.metadata),
            "tags": dict(row.tags),
            "created_at": row.created_at,
            "stored_at": row.stored_at,
            "policy_id": row.policy_id,
            "wanted": sorted(row.wanted),
            "retain_until": row.retain_until,
            "retain_mode": row.retain_mode,
        }
        for row in rows
    ]
    recordset.insert(connection, ARTIFACTS, new)


def write_decided(connection: sa.Connection, rows: Sequence[ArtifactRow]) -> None:
    """Write of these locked artifacts what the commit of a batch decides, and the revision."""
    decided = [
        {
            "id": row.id,
            "state": row.state.value,
            "wanted": sorted(row.wanted),
            "policy_id": row.policy_id,
            "deleted_at": row.deleted_at,
            "deleted_by": row.deleted_by,
            "purge_at": row.purge_at,
            "purged_at": row.purged_at,
            "retain_until": row.retain_until,
            "retain_mode": row.retain_mode,
            "revision": row.revision,
        }
        for row in rows
    ]
    recordset.update(connection, ARTIFACTS, decided)


def write_asked(connection: sa.Connection, rows: Sequence[ArtifactRow]) -> None:
    """Write of these locked artifacts what verbs and operators change, and the revision."""
    asked = [
        {
            "id": row.id,
            "state": row.state.value,
            "deleted_at": row.deleted_at,
            "deleted_by": row.deleted_by,
            "purge_at": row.purge_at,
            "archived_tiers": None if row.archived_tiers is None else sorted(row.archived_tiers),
            "override_kind": row.override_kind,
            "override_tiers": None if row.override_tiers is None else sorted(row.override_tiers),
            "override_until": row.override_until,
            "not_before": row.not_before,
            "revision": row.revision,
        }
        for row in rows
    ]
    recordset.update(connection, ARTIFACTS, asked)


def write_revisions(connection: sa.Connection, revisions: Mapping[UUID, int]) -> None:
    """Write the revisions of these locked artifacts."""
    if revisions:
        connection.execute(_SET_REVISIONS, {"ids": list(revisions), "revisions": list(revisions.values())})


def surplus_versions(connection: sa.Connection, name: UUID, *, keep: int) -> list[UUID]:
    """Return the live versions of a name beyond the newest ``keep``."""
    return list(connection.execute(_SURPLUS, {"name": name, "keep": keep}).scalars())


def record_access(connection: sa.Connection, times: dict[UUID, datetime]) -> None:
    """Write the last access of many artifacts at once."""
    ids = sorted(times)
    connection.execute(_ACCESSED, {"ids": ids, "times": [times[i] for i in ids]})


def release_blobs(
    connection: sa.Connection, blobs: Collection[UUID], *, gone: Collection[UUID], token: UUID, limit: int
) -> list[EndedArtifact]:
    """Detach purged artifacts from locked blobs that have no copy left, at most ``limit``; return them as updated.

    ``gone``: copies whose bytes their remover, who has ``token``, has deleted.
    """
    given = {"blobs": list(blobs), "gone": list(gone), "token": token, "limit": limit}
    return [EndedArtifact(*row) for row in connection.execute(_FORGET_BLOBS, given).all()]


def read_rows(result: sa.CursorResult[Any]) -> list[ArtifactRow]:
    """Return query results of :data:`COLUMNS` as rows."""
    return [_row(row) for row in result.all()]


def _row(row: Any) -> ArtifactRow:  # noqa: ANN401  a driver's row
    made = ArtifactRow(*row)  # by place: by name it takes ten times as long
    made.state = ArtifactState(made.state)
    made.sha256 = bytes(made.sha256)
    made.wanted = frozenset(made.wanted)
    made.archived_tiers = None if made.archived_tiers is None else frozenset(made.archived_tiers)
    made.override_tiers = None if made.override_tiers is None else frozenset(made.override_tiers)
    made.holds = tuple(made.holds)
    if not isinstance(made.metadata, dict):
        made.metadata = UnreadableJson()
    if not isinstance(made.tags, dict) or not all(isinstance(value, str) for value in made.tags.values()):
        made.tags = UnreadableJson()
    return made
