"""Results of verbs by the producer's key: a second delivery finds the result of the first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from models.command import COMMANDS
from tierkeeper.base.errors import CommandConflict
from tierkeeper.catalog import recordset
from tierkeeper.catalog.statements import typed

# each key by its index (OFFSET 0 keeps them apart)
_FIND = sa.text("""
    SELECT c.tenant, c.key, c.item, c.verb, c.arguments_hash, c.result
    FROM unnest(:tenants, :keys) AS w(tenant, key)
        CROSS JOIN LATERAL (SELECT * FROM commands WHERE tenant = w.tenant AND key = w.key OFFSET 0) AS c
""").bindparams(*typed(tenants="text[]", keys="text[]"))


@dataclass(frozen=True, slots=True)
class DeliveredItem:
    """One item of one delivery: its verb and the SHA-256 of its arguments."""

    tenant: str
    key: str
    item: int
    verb: str
    arguments_hash: bytes

    def __post_init__(self) -> None:
        """Refuse a delivery without a key: any two of these would be the same delivery."""
        if not self.key:
            raise ValueError("a delivery has no key")


def find(connection: sa.Connection, deliveries: Collection[DeliveredItem]) -> dict[DeliveredItem, dict[str, Any]]:
    """Return the results of those of these deliveries that were carried out before.

    Raises CommandConflict where the key was used before for another verb or with other arguments.
    """
    if not deliveries:
        return {}
    by_item = {(d.tenant, d.key, d.item): d for d in deliveries}
    asked = sorted({(d.tenant, d.key) for d in deliveries})
    results = {}
    for row in connection.execute(_FIND, {"tenants": [t for t, _ in asked], "keys": [k for _, k in asked]}):
        delivery = by_item.get((row.tenant, row.key, row.item))
        if delivery is None:
            continue
        if row.verb != delivery.verb or bytes(row.arguments_hash) != delivery.arguments_hash:
            raise CommandConflict(key=row.key)
        results[delivery] = row.result
    return results


def record(connection: sa.Connection, results: Sequence[tuple[DeliveredItem, dict[str, Any]]]) -> None:
    """Write the results, in the transaction of the changes that they report."""
    rows = [
        {
            "tenant": d.tenant,
            "key": d.key,
            "item": d.item,
            "verb": d.verb,
            "arguments_hash": d.arguments_hash,
            "result": result,
        }
        for d, result in results
    ]
    recordset.insert(connection, COMMANDS, rows)
