"""What stores refuse: on the rows of copies and orphans that are to be deleted, and of a sweep in a whole tier.

A row goes with its bytes, and its refusal with it. A sweep's refusal is a switch, which its next success removes.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import switches
from tierkeeper.catalog.conditions import REFUSED
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.quarantine import Orphan
from tierkeeper.catalog.statements import typed
from tierkeeper.values.refusals import Reason, Refusal, SweepRefusal
from tierkeeper_client import texts

_LENGTH: Final = 1000  # characters of a refusal that are kept
_NOTED: Final = """
    refused_since = coalesce(r.refused_since, :now), refused_at = :now,
    refusals = CASE WHEN r.refused_since IS NULL THEN 1 ELSE r.refusals + 1 END,
    refusal_code = w.code, refusal = w.reason
"""
_NOTE_COPIES = sa.text(f"""
    UPDATE placements r
    SET {_NOTED}
    FROM unnest(:ids, :codes, :reasons) AS w(id, code, reason)
    WHERE r.id = w.id AND r.state = 'deleting' AND r.token = :token
""").bindparams(*typed(ids="uuid[]", codes="text[]", reasons="text[]", now="timestamptz"))
_NOTE_ORPHANS = sa.text(f"""
    UPDATE quarantine r
    SET {_NOTED}
    FROM unnest(:locations, :versions, :codes, :reasons) AS w(location, version, code, reason)
    WHERE r.tier = :tier AND r.location = w.location AND r.store_version = w.version
""").bindparams(*typed(locations="text[]", versions="text[]", codes="text[]", reasons="text[]", now="timestamptz"))
_OF_COPIES = sa.text(f"""
    SELECT id, refusal_code, refusal, refused_since, refused_at, refusals
    FROM placements
    WHERE id = ANY(:ids) AND {REFUSED}
""")
_END_ORPHANS = sa.text("""
    UPDATE quarantine
    SET refused_since = NULL, refused_at = NULL, refusals = NULL, refusal_code = NULL, refusal = NULL
    WHERE refused_at < :before
""")
_OF_ORPHANS = sa.text("""
    SELECT tier, count(*)
    FROM (SELECT tier FROM quarantine WHERE refused_since IS NOT NULL LIMIT :most) AS found
    GROUP BY tier
""").bindparams(*typed(most="bigint"))


def note_copies(connection: sa.Connection, reasons: Mapping[UUID, Reason], *, token: UUID, now: datetime) -> None:
    """Note why these copies, which this remover marked, were not deleted."""
    if reasons:
        connection.execute(_NOTE_COPIES, {"ids": list(reasons), "token": token, "now": now, **_words(reasons.values())})


def note_orphans(
    connection: sa.Connection, tier: str, refused: Sequence[tuple[Orphan, Reason]], *, now: datetime
) -> None:
    """Note why these orphans of a tier were not deleted."""
    if refused:
        keys = {
            "locations": [orphan.location for orphan, _ in refused],
            "versions": [orphan.version or "" for orphan, _ in refused],
        }
        words = _words([reason for _, reason in refused])
        connection.execute(_NOTE_ORPHANS, {"tier": tier, "now": now, **keys, **words})


def of_copies(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, Refusal]:
    """Return the refusals of those of these copies whose delete was refused."""
    return {row[0]: Refusal(*row[1:]) for row in connection.execute(_OF_COPIES, {"ids": list(ids)})} if ids else {}


def orphans_by_tier(connection: sa.Connection, *, most: int | None) -> tuple[dict[str, int], bool]:
    """Return, by tier, how many orphans a store refused to delete.

    At most ``most`` are looked at (None: all); the second value is False where there may be more.
    """
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(_OF_ORPHANS, {"most": most})}
    return counts, most is None or sum(counts.values()) < most


def note_sweep(connection: sa.Connection, tier: str, sweep: str, reason: Reason | None) -> None:
    """Note what a tier's store refused to a sweep; None: nothing, and what it refused before is forgotten."""
    name = f"{switches.REFUSED}{sweep}:{tier}"
    if reason is None:
        switches.remove(connection, name)
        return
    before, now = switches.read(connection, name, lock=True), catalog_now(connection)
    known: Mapping[str, Any] = {} if before is None else before.value
    words = _kept(reason.words)
    value = {
        "code": texts.storable(reason.code),
        "since": known.get("since", now.astimezone(UTC).isoformat()),
        "count": known.get("count", 0) + 1,
    }
    switches.write(connection, name, value, by=TIERKEEPER.actor, reason=words, now=now)


def end_unasked(connection: sa.Connection, *, kept: timedelta) -> int:
    """Forget refusals that were not repeated for ``kept``: of a tier that left, or of a sweep of another tier now."""
    now = catalog_now(connection)
    old = [name for name, row in switches.read_beginning(connection, switches.REFUSED).items() if row.at < now - kept]
    for name in old:
        switches.remove(connection, name)
    return len(old) + connection.execute(_END_ORPHANS, {"before": now - kept}).rowcount


def of_sweeps(connection: sa.Connection) -> list[SweepRefusal]:
    """Return what stores refuse to sweeps, by sweep and tier."""
    found = []
    for name, row in switches.read_beginning(connection, switches.REFUSED).items():
        sweep, _, tier = name.removeprefix(switches.REFUSED).partition(":")
        since, kept = datetime.fromisoformat(row.value["since"]), row.value
        found.append(SweepRefusal(tier, sweep, Refusal(kept["code"], row.reason, since, row.at, kept["count"])))
    return found


def _words(reasons: Collection[Reason]) -> dict[str, list[str]]:
    return {
        "codes": [texts.storable(reason.code) for reason in reasons],
        "reasons": [_kept(reason.words) for reason in reasons],
    }


def _kept(words: str) -> str:
    return texts.storable(words)[:_LENGTH]
