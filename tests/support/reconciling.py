"""What the tests of reconcile share: how stores are disturbed, and what was found is told in short."""

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from support.callers import TESTER
from support.house import House
from tierkeeper.base.ids import new_id
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store
from tierkeeper.stores.errors import ObjectNotFound
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.values.findings import Finding, ReconcileResult

QUARANTINE = timedelta(hours=25)  # longer than the default
CONTENT = b"what was stored"
WEEK = timedelta(days=8)  # old enough for warm, by the default policy


def reconcile(house: House, **more: Any) -> tuple[ReconcileResult, list[Finding]]:  # noqa: ANN401  the keeper checks
    """Reconcile; return what was found too."""
    found: list[Finding] = []
    result = house.keeper.sweeps.reconcile(caller=TESTER, found=found.append, **more)
    return result, found


def short(found: list[Finding]) -> list[tuple[str, str, str]]:
    """Findings in short, sorted."""
    return sorted((f.tier, f.kind.value, f.action.value) for f in found)


def missed_once(house: House, tier: str) -> None:
    """Take the first look at what is missing in a tier that is called, a day ago (R20); a bound one needs but one."""
    if not house.keeper.engine.store(tier).bound:
        assert short(reconcile(house)[1]) == [(tier, "missing", "quarantine")]
        house.pass_time(QUARANTINE)


def late(house: House, tier: str = "warm", content: bytes = b"nobody knows") -> str:
    """Write bytes that no placement knows any more, as a write after its time-out leaves them; return their location.

    Its intent was collected meanwhile, which is an event.
    """
    store = house.keeper.engine.store(tier)
    info = _described("late", content)
    where = store.location(info)
    house.sql(
        "INSERT INTO events (subject, revision, type, actor, before) VALUES (:id, 1, 'collected', 'beat',"
        " jsonb_build_object('tier', CAST(:tier AS text), 'location', CAST(:location AS text)))",
        id=info.placement,
        tier=tier,
        location=where,
    )
    return store.put(where, io.BytesIO(content), info).location


def write(house: House, tier: str, content: bytes = b"somebody else's", *, below: str = "", bare: bool = False) -> str:
    """Write an object as tierkeeper would, of which the catalog never heard; return its location.

    ``below`` a folder of somebody else's; ``bare``: without saying what it is.
    """
    store = house.keeper.engine.store(tier)
    info = _described("other", content)
    where = below + store.location(info)
    if not bare:
        return store.put(where, io.BytesIO(content), info).location
    if isinstance(store, S3Store):
        store.place.client.put_object(Bucket=store.place.bucket, Key=store.place.key(where), Body=content)
    else:
        path = cast("FilesystemStore", store)._tree.root / where
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return where


def there(house: House, tier: str, location: str) -> bool:
    """Whether something is at a location."""
    try:
        house.keeper.engine.store(tier).head(ObjectKey(location))
    except ObjectNotFound:
        return False
    return True


def copy_of(house: House, tier: str, name: str = "a") -> tuple[Store, ObjectKey]:
    """The store and the key of an artifact's copy."""
    (row,) = house.sql(
        "SELECT location, store_version FROM placements WHERE tier = :tier AND state <> 'deleting' AND blob_id ="
        " (SELECT blob_id FROM artifacts WHERE id = :id)",
        tier=tier,
        id=house.show(name).id,
    )
    return house.keeper.engine.store(tier), ObjectKey(row.location, row.store_version)


def drop(house: House, tier: str, name: str = "a") -> None:
    """Take the bytes of a copy away behind the engine's back."""
    store, key = copy_of(house, tier, name)
    store.delete([key])


def overwrite(house: House, tier: str, content: bytes, name: str = "a") -> None:
    """Write other bytes where a copy lies."""
    store, key = copy_of(house, tier, name)
    if isinstance(store, S3Store):
        store.place.client.put_object(Bucket=store.place.bucket, Key=store.place.key(key.location), Body=content)
    else:
        (cast("FilesystemStore", store)._tree.root / key.location).write_bytes(content)


def quarantined(house: House) -> int:
    """How many orphans are remembered."""
    (row,) = house.sql("SELECT count(*) AS n FROM quarantine")
    return int(row.n)


def deleted_orphans(house: House) -> list[dict[str, Any]]:
    """What the audit log says of deleted orphans."""
    return [dict(e.before or {}) for e in house.keeper.events.select(type="orphan deleted")]


def _described(name: str, content: bytes) -> ObjectInfo:
    """What an object of a placement of its own says of itself."""
    return ObjectInfo(
        tenant="acme",
        workflow="reports",
        name=name,
        version=1,
        placement=new_id(),
        sha256=hashlib.sha256(content).digest(),
        size=len(content),
        created=datetime.now(UTC),
    )
