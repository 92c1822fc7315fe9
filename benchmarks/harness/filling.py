"""Fills a catalog with artifacts by COPY, in the state in which the engine leaves them, and S3 with their bytes."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.harness.bare import Bare
from tierkeeper.base.ids import new_id

TENANT, WORKFLOW = "bench", "figures"
SIZE = 4096  # bytes of one artifact
OVERDUE = timedelta(hours=-1)
WRITERS = 32


@dataclass(frozen=True, slots=True)
class Made:
    """One artifact with one present copy."""

    artifact: UUID
    name: str
    blob: UUID
    placement: UUID
    sha256: bytes
    etag: str
    size: int
    location: str
    created: datetime
    due: datetime

    @property
    def headers(self) -> dict[str, str]:
        """The metadata headers that an S3 tier writes with the object."""
        values = {
            "tenant": TENANT,
            "workflow": WORKFLOW,
            "name": self.name,
            "version": "1",
            "sha256": self.sha256.hex(),
            "size": str(self.size),
            "created": self.created.isoformat(),
        }
        return {f"x-amz-meta-{name}": value for name, value in values.items()}


def make(count: int, *, age: timedelta, due: timedelta = OVERDUE) -> list[Made]:
    """Return ``count`` artifacts of this age, ``due`` from now (negative: past), each with content of its own."""
    now = datetime.now(UTC)
    return [_made(n, content, now - age, now + due) for n in range(count)]


def imagine(numbers: range, ages: Callable[[int], timedelta], dues: Callable[[int], timedelta]) -> list[Made]:
    """Return artifacts without stored bytes; ``ages`` and ``dues`` (from now, negative: past) are by number."""
    now = datetime.now(UTC)
    return [_made(n, lambda p: p.bytes, now - ages(n), now + dues(n)) for n in numbers]


def _made(number: int, content_of: Callable[[UUID], bytes], created: datetime, due: datetime) -> Made:
    placement = new_id()
    given = content_of(placement)
    digest = sha256(given).digest()
    return Made(
        artifact=new_id(),
        name=f"item-{number:08}",
        blob=new_id(),
        placement=placement,
        sha256=digest,
        etag=f'"{md5(given, usedforsecurity=False).hexdigest()}"',
        size=SIZE,
        location=f"cas/{digest.hex()[:2]}/{digest.hex()}/{placement}",
        created=created,
        due=due,
    )


def content(placement: UUID) -> bytes:
    """Return the content of a placement, derived from its id."""
    return random.Random(placement.int).randbytes(SIZE)  # noqa: S311  bytes, no secret


def upload(bare: Bare, bucket: str, made: Sequence[Made]) -> None:
    """Write the objects of ``made`` into a bucket."""
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(lambda m: bare.put(bucket, m.location, content(m.placement), m.headers), made))


def catalogue(url: str, rows: Sequence[Made], *, tier: str, step: str) -> None:
    """Write the catalog's rows, governed by the built-in policy ``default``."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # no checks: the rows are consistent
        policy = connection.execute("SELECT id FROM policies WHERE name = 'default' AND removed_at IS NULL").fetchone()
        assert policy is not None
        connection.execute("INSERT INTO tenants (id, scope) VALUES (%s, %s) ON CONFLICT DO NOTHING", [TENANT, TENANT])
        names = {m.artifact: new_id() for m in rows}
        tables: dict[str, Iterator[tuple[Any, ...]]] = {
            "blobs (id, scope, sha256, size)": ((m.blob, TENANT, m.sha256, m.size) for m in rows),
            "names (id, tenant, workflow, name, latest_version)": (
                (names[m.artifact], TENANT, WORKFLOW, m.name, 1) for m in rows
            ),
            "artifacts (id, name_id, tenant, version, blob_id, sha256, size, content_type, metadata, created_at,"
            " policy_id, wanted)": (
                (
                    m.artifact,
                    names[m.artifact],
                    TENANT,
                    1,
                    m.blob,
                    m.sha256,
                    m.size,
                    "application/octet-stream",
                    Jsonb({}),
                    m.created,
                    policy[0],
                    [tier],
                )
                for m in rows
            ),
            "placements (id, blob_id, tier, location, state, token, stored_size, stored_sha256, checksum, placed_by,"
            " vouched, pin, verified_at)": (
                (
                    m.placement,
                    m.blob,
                    tier,
                    m.location,
                    "present",
                    m.placement,
                    m.size,
                    m.sha256,
                    f"sha256:{m.sha256.hex()}",
                    "default v1: phase 0d",
                    "written",
                    m.etag,
                    m.created,
                )
                for m in rows
            ),
            "schedule (artifact_id, tenant, due_at, step, deletes)": (
                (m.artifact, TENANT, m.due, step, "default" if step == "purge" else None) for m in rows
            ),
        }
        for table, values in tables.items():
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)


def tidy(url: str) -> None:
    """Vacuum and analyze the tables, as autovacuum would some time after they were filled."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
