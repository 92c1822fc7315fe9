"""Copies: intents, commits, dooming, collecting. Each change names the state it starts from (R2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from models.placement import PLACEMENTS
from tierkeeper.base.content import PLAIN
from tierkeeper.base.states import PlacementState, Vouched
from tierkeeper.catalog import recordset
from tierkeeper.catalog.conditions import KEPT, READABLE, SUSPECT
from tierkeeper.catalog.database import Clocks
from tierkeeper.catalog.rows import NewCopy, NewIntent, PlacementRow
from tierkeeper.catalog.statements import listed, typed

COLUMNS = listed(
    PlacementRow.__dataclass_fields__,
    table="p",
    name_purged="""
        coalesce((SELECT named.state = 'purged' FROM artifacts named WHERE named.id = p.artifact_id), false)
    """,
)
_OF_BLOBS = sa.text(f"SELECT {COLUMNS} FROM placements p WHERE p.blob_id = ANY(:blobs) ORDER BY p.blob_id, p.id")
_OF_SEVERAL = sa.text("""
    SELECT blob_id
    FROM placements
    WHERE blob_id = ANY(:blobs)
    GROUP BY blob_id HAVING count(*) > 1
""")
_LOAD = sa.text(f"SELECT {COLUMNS} FROM placements p WHERE p.id = ANY(:ids) ORDER BY p.id")
_COMMIT = sa.text("""
    UPDATE placements p
    SET state = w.state, lease_until = NULL, store_version = w.version, stored_size = w.size,
        stored_sha256 = w.sha256, checksum = w.checksum, vouched = w.vouched, pin = w.pin,
        verified_at = CASE WHEN w.vouched IN ('server', 'read') THEN :now END,
        cipher = coalesce(w.cipher, p.cipher), wrapped_key = coalesce(w.wrapped_key, p.wrapped_key),
        key_id = coalesce(w.key_id, p.key_id), compression = coalesce(w.compression, p.compression),
        doomed_at = CASE WHEN w.state = 'doomed' THEN :now END,
        delete_after = CASE WHEN w.state = 'doomed' THEN :delete_after END
    FROM unnest(
        :ids, :states, :versions, :sizes,
        :hashes, :checksums, :ciphers, :keys,
        :key_ids, :compressions, :vouched, :pins
    ) AS w(id, state, version, size, sha256, checksum, cipher, wrapped_key, key_id, compression, vouched, pin)
    WHERE p.id = w.id AND p.state = 'copying' AND p.token = :token
""").bindparams(
    *typed(
        now="timestamptz",
        delete_after="timestamptz",
        ids="uuid[]",
        states="text[]",
        versions="text[]",
        sizes="bigint[]",
        hashes="bytea[]",
        checksums="text[]",
        ciphers="text[]",
        keys="bytea[]",
        key_ids="text[]",
        compressions="text[]",
        vouched="text[]",
        pins="text[]",
    )
)
_DOOM = sa.text("""
    UPDATE placements
    SET state = 'doomed', doomed_at = :now, delete_after = :delete_after
    WHERE id = ANY(:ids) AND state = 'present'
""")
_RESCUE = sa.text("""
    UPDATE placements
    SET state = 'present', doomed_at = NULL, delete_after = NULL
    WHERE id = ANY(:ids) AND state = 'doomed' AND damaged_at IS NULL AND missed_at IS NULL AND vouched IS NOT NULL
""")
_RENAME = sa.text("UPDATE placements SET artifact_id = :artifact WHERE id = ANY(:ids) AND artifact_id IS NOT NULL")
_RENEW = sa.text("""
    UPDATE placements
    SET lease_until = clock_timestamp() + :lease
    WHERE token = :token AND state = 'copying'
""")
_SHORTEN = sa.text("""
    UPDATE placements
    SET lease_until = clock_timestamp() + :lease
    WHERE state IN ('copying', 'deleting')
        AND lease_until > statement_timestamp()
            -- a delete that was refused is put off for longer than a lease
            + CASE state WHEN 'copying' THEN 2 * CAST(:lease AS interval) ELSE CAST(:longest AS interval) END
""")
_GIVE_UP = sa.text("""
    UPDATE placements
    SET lease_until = clock_timestamp()
    WHERE id = ANY(:ids) AND state = 'copying' AND token = :token
""")
_RIPE = sa.text("""
    (
        SELECT id, blob_id
        FROM placements
        WHERE state = 'doomed' AND delete_after <= :now AND NOT id = ANY(:seen)
        ORDER BY delete_after LIMIT :limit
    )
    UNION ALL (
        SELECT id, blob_id
        FROM placements
        WHERE state IN ('copying', 'deleting') AND lease_until <= :now AND NOT id = ANY(:seen)
        ORDER BY lease_until LIMIT :limit
    )
    LIMIT :limit
""")
_TO_DELETING = sa.text("""
    UPDATE placements
    SET state = 'deleting', token = :token, lease_until = clock_timestamp() + :lease
    WHERE id = ANY(:ids) AND state IN ('copying', 'doomed', 'deleting')
""")
_PUT_OFF = sa.text("""
    UPDATE placements
    SET lease_until = clock_timestamp() + :lease
    WHERE id = ANY(:ids) AND state = 'deleting' AND token = :token
""")
_GONE = sa.text("DELETE FROM placements WHERE id = ANY(:ids) AND state = 'deleting' AND token = :token RETURNING id")
_DAMAGED = sa.text("UPDATE placements SET damaged_at = :now, missed_at = NULL WHERE id = :id AND damaged_at IS NULL")
_DOUBTED = sa.text(f"""
    UPDATE placements
    SET vouched = NULL, pin = NULL
    WHERE id = ANY(:ids) AND {KEPT} AND vouched = 'pinned' AND verified_at IS NULL
    RETURNING id
""")
_MISSED = sa.text("""
    UPDATE placements
    SET missed_at = :now
    WHERE id = :id AND (missed_at IS NULL OR missed_at > :now) AND damaged_at IS NULL
""")
_UNMISSED = sa.text("""
    UPDATE placements
    SET missed_at = NULL
    WHERE missed_at IS NOT NULL AND (:tier IS NULL OR tier = :tier)
""").bindparams(*typed(tier="text"))
_FOUND_AGAIN = sa.text("UPDATE placements SET missed_at = NULL WHERE id = :id AND missed_at = :missed")
_SUSPECTS = sa.text(f"""
    SELECT {COLUMNS}
    FROM placements p
    WHERE p.missed_at <= :until
        AND (p.missed_at, p.id) > (:after_time, :after_id)
        AND {SUSPECT}
    ORDER BY p.missed_at, p.id LIMIT :limit
""")
# an exact version is named by its id for every reader; another pin is that of the read, not of the bytes that were bad
_HEALED = sa.text(f"""
    UPDATE placements
    SET damaged_at = NULL, verified_at = :now, vouched = 'read', pin = coalesce(store_version, :pin),
        missed_at = NULL
    WHERE id = :id AND {KEPT} AND damaged_at = :damaged
""")
_VERIFIED = sa.text(f"""
    UPDATE placements p
    SET verified_at = :now, vouched = coalesce(vouched, 'read'), pin = coalesce(p.pin, p.store_version, w.pin)
    FROM unnest(:ids, :pins) AS w(id, pin)
    WHERE p.id = w.id AND {READABLE}
    RETURNING p.id
""").bindparams(*typed(ids="uuid[]", pins="text[]"))
_REPINNED = sa.text(f"""
    UPDATE placements
    SET verified_at = :now, vouched = :vouched, pin = coalesce(store_version, :pin)
    WHERE id = :id AND {READABLE}
""")
_LOCKED = sa.text(
    "UPDATE placements SET locked_until = greatest(locked_until, :until) WHERE id = :id AND state = 'present'"
)


@dataclass(frozen=True, slots=True)
class VouchedUpload:
    """An upload of this worker, vouched for and ready for its commit; ``pin`` names its bytes, where that is known."""

    placement: UUID
    blob: UUID
    tier: str
    size: int
    sha256: bytes
    version: str | None
    checksum: str | None
    vouched: Vouched
    pin: str | None
    #: the copy that it was made from and inherits cipher, key and compression of (R6); None: the content itself
    source: PlacementRow | None = None


def by_blob(uploads: Sequence[VouchedUpload]) -> dict[UUID, list[VouchedUpload]]:
    """Return uploads by their blob."""
    found: dict[UUID, list[VouchedUpload]] = {}
    for upload in uploads:
        found.setdefault(upload.blob, []).append(upload)
    return found


def of_blobs(connection: sa.Connection, blobs: Collection[UUID]) -> dict[UUID, list[PlacementRow]]:
    """Return every placement of these blobs, by blob, oldest first."""
    found: dict[UUID, list[PlacementRow]] = {blob: [] for blob in blobs}
    for row in connection.execute(_OF_BLOBS, {"blobs": list(blobs)}).all():
        found[row.blob_id].append(_row(row))
    return found


def of_several(connection: sa.Connection, blobs: Collection[UUID]) -> set[UUID]:
    """Return those of these blobs that have more than one placement."""
    return set(connection.execute(_OF_SEVERAL, {"blobs": list(blobs)}).scalars())


def load(connection: sa.Connection, ids: Collection[UUID]) -> list[PlacementRow]:
    """Return these placements in the order of their ids."""
    return [_row(row) for row in connection.execute(_LOAD, {"ids": list(ids)}).all()]


def intend(connection: sa.Connection, rows: Sequence[NewIntent]) -> None:
    """Insert ``copying`` rows, before the first byte is written (R1)."""
    state = PlacementState.COPYING.value
    recordset.insert(connection, PLACEMENTS, [{**recordset.columns(row), "state": state} for row in rows])


def add_present(connection: sa.Connection, row: NewCopy) -> None:
    """Insert a copy that was found in a store, with its bytes verified; its blob is locked."""
    recordset.insert(connection, PLACEMENTS, [recordset.columns(row)])


def commit(
    connection: sa.Connection,
    uploads: Sequence[tuple[VouchedUpload, PlacementState]],
    *,
    token: UUID,
    now: datetime,
    delete_after: datetime,
) -> int:
    """Make these uploads present or doomed if they are still this maker's (R2); return how many were."""
    if not uploads:
        return 0
    encodings = [PLAIN if u.source is None else u.source.encoding for u, _ in uploads]
    result = connection.execute(
        _COMMIT,
        {
            "ids": [u.placement for u, _ in uploads],
            "states": [state.value for _, state in uploads],
            "versions": [u.version for u, _ in uploads],
            "sizes": [u.size for u, _ in uploads],
            "hashes": [u.sha256 for u, _ in uploads],
            "checksums": [u.checksum for u, _ in uploads],
            "ciphers": [each.cipher for each in encodings],
            "keys": [each.wrapped_key for each in encodings],
            "key_ids": [each.key_id for each in encodings],
            "compressions": [each.compression for each in encodings],
            "vouched": [u.vouched.value for u, _ in uploads],
            "pins": [u.pin for u, _ in uploads],
            "token": token,
            "now": now,
            "delete_after": delete_after,
        },
    )
    return result.rowcount


def doom(connection: sa.Connection, ids: Collection[UUID], *, now: datetime, delete_after: datetime) -> int:
    """Mark present copies for removal; return how many were present."""
    if not ids:
        return 0
    return connection.execute(_DOOM, {"ids": list(ids), "now": now, "delete_after": delete_after}).rowcount


def rescue(connection: sa.Connection, ids: Collection[UUID]) -> int:
    """Make doomed copies present again that are no suspects, undamaged and vouched for; return how many were."""
    return connection.execute(_RESCUE, {"ids": list(ids)}).rowcount if ids else 0


def rename(connection: sa.Connection, ids: Collection[UUID], *, artifact: UUID) -> None:
    """Record the artifact whose name the readable locations of these copies carry."""
    connection.execute(_RENAME, {"ids": list(ids), "artifact": artifact})


def renew(connection: sa.Connection, token: UUID, *, lease_seconds: float) -> None:
    """Lengthen the lease of this maker's intents."""
    connection.execute(_RENEW, {"token": token, "lease": timedelta(seconds=lease_seconds)})


def shorten_leases(connection: sa.Connection, *, lease_seconds: float, longest_seconds: float) -> int:
    """Let leases that a clock which was ahead gave end after a usual one, unless they are renewed; return how many.

    ``longest_seconds``: beyond what a copy that is to be deleted is put off for.
    """
    lease, longest = timedelta(seconds=lease_seconds), timedelta(seconds=longest_seconds)
    return connection.execute(_SHORTEN, {"lease": lease, "longest": longest}).rowcount


def give_up(connection: sa.Connection, ids: Collection[UUID], *, token: UUID) -> None:
    """End the leases of intents that failed, so that the next attempt need not wait for them."""
    if ids:
        connection.execute(_GIVE_UP, {"ids": list(ids), "token": token})


def collectable(
    connection: sa.Connection, *, now: datetime, limit: int, seen: Collection[UUID]
) -> list[tuple[UUID, UUID]]:
    """Return (placement, blob) of rows to collect: doomed past its time, intents and deletions whose lease ended."""
    rows = connection.execute(_RIPE, {"now": now, "limit": limit, "seen": list(seen)}).all()
    return [(row.id, row.blob_id) for row in rows]


def to_deleting(connection: sa.Connection, ids: Collection[UUID], *, token: UUID, lease_seconds: float) -> int:
    """Mark these copies as being deleted, which is the decision point of a delete; return how many were marked."""
    arguments = {"ids": list(ids), "token": token, "lease": timedelta(seconds=lease_seconds)}
    return connection.execute(_TO_DELETING, arguments).rowcount


def put_off(connection: sa.Connection, ids: Collection[UUID], *, token: UUID, seconds: float) -> None:
    """Let no other collect repeat these deletions, as far as they are still this remover's, for so long."""
    connection.execute(_PUT_OFF, {"ids": list(ids), "token": token, "lease": timedelta(seconds=seconds)})


def gone(connection: sa.Connection, ids: Collection[UUID], *, token: UUID) -> list[UUID]:
    """Delete the rows of bytes that are gone; return those that were still this remover's."""
    return list(connection.execute(_GONE, {"ids": list(ids), "token": token}).scalars().all())


def mark_damaged(connection: sa.Connection, placement: UUID, *, now: datetime) -> None:
    """Note that a copy's bytes are bad."""
    connection.execute(_DAMAGED, {"id": placement, "now": now})


def doubt(connection: sa.Connection, ids: Collection[UUID]) -> set[UUID]:
    """Vouch no more for those of these copies that are only as good as their sources; return them (R17).

    Those are the ones that a server made and that were not read since. Their blobs are locked.
    """
    return set(connection.execute(_DOUBTED, {"ids": list(ids)}).scalars())


def mark_missed(connection: sa.Connection, placement: UUID, *, now: Clocks) -> None:
    """Note that a copy was not found, for the first time (R20); its blob is locked.

    A first miss that was noted before stays, unless its time is in the future by both clocks.
    """
    connection.execute(_MISSED, {"id": placement, "now": now.later})


def forget_misses(connection: sa.Connection, tier: str | None = None) -> None:
    """Forget all first misses, or those at a tier: both misses are of one place, noted by one catalog (R20)."""
    connection.execute(_UNMISSED, {"tier": tier})


def mark_found_again(connection: sa.Connection, placement: UUID, *, missed: datetime) -> bool:
    """Note that a copy that was missed then is where it should be; False if it was missed again since. Blob locked."""
    return connection.execute(_FOUND_AGAIN, {"id": placement, "missed": missed}).rowcount > 0


def suspects(connection: sa.Connection, *, until: datetime, after: "Cursor", limit: int) -> list[PlacementRow]:
    """Return the next copies that were missed until a moment, those first that were missed first."""
    arguments = {"until": until, "after_time": after[0], "after_id": after[1], "limit": limit}
    return [_row(row) for row in connection.execute(_SUSPECTS, arguments).all()]


def mark_healed(
    connection: sa.Connection, placement: UUID, *, damaged: datetime, pin: str | None, now: datetime
) -> bool:
    """Note that a kept copy's bytes, which were bad, were read by this pin and are good (R18); its blob is locked."""
    arguments = {"id": placement, "damaged": damaged, "pin": pin, "now": now}
    return connection.execute(_HEALED, arguments).rowcount == 1


def mark_verified(connection: sa.Connection, pins: Mapping[UUID, str | None], *, now: datetime) -> set[UUID]:
    """Note that these copies were read and are good, which vouches for them (R18); their blobs are locked.

    ``pins``: the pin that was read, by copy; a copy that has a pin keeps it, since it was read by it. Return the copies
    that were marked: one found damaged meanwhile, or being deleted, is not.
    """
    arguments = {"ids": list(pins), "pins": list(pins.values()), "now": now}
    return set(connection.execute(_VERIFIED, arguments).scalars())


def repin(connection: sa.Connection, placement: UUID, *, pin: str | None, vouched: Vouched, now: datetime) -> None:
    """Note that a copy is good by another pin than it had, and why it is vouched for; its blob is locked."""
    connection.execute(_REPINNED, {"id": placement, "pin": pin, "vouched": vouched.value, "now": now})


def mark_locked(connection: sa.Connection, placement: UUID, *, until: datetime) -> None:
    """Note the lock that the store holds on a copy."""
    connection.execute(_LOCKED, {"id": placement, "until": until})


#: where verify continues in one of its orders: when the last copy was read, and its id
Cursor = tuple[datetime | None, UUID]
#: before the first copy of an order
BEGINNING: Final[Cursor] = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
#: after every copy of an order
END: Final = datetime.max.replace(tzinfo=UTC)


def past(moment: datetime) -> Cursor:
    """Return the key after the copies of this moment."""
    return (moment, UUID(int=2**128 - 1))


def _row(row: Any) -> PlacementRow:  # noqa: ANN401  a driver's row
    made = PlacementRow(*row)  # by place, as in artifacts.py
    made.state = PlacementState(made.state)
    made.vouched = None if made.vouched is None else Vouched(made.vouched)
    made.stored_sha256 = None if made.stored_sha256 is None else bytes(made.stored_sha256)
    made.wrapped_key = None if made.wrapped_key is None else bytes(made.wrapped_key)
    return made
