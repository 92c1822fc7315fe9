"""Bulk deletes: one outcome per key, whatever the store raises, so that a fault of one tier does not stop others."""

from collections.abc import Iterable, Sequence

from tierkeeper.base import log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.engine.context import Engine
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey

_log = log.get(__name__)


def remove(engine: Engine, tier: str, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
    """Delete up to ``delete_batch`` keys of a tier in one call; return one result per key, in their order.

    If the call itself fails, the fate of its keys is unknown: all are FAILED, and a later collect repeats them.
    """
    try:
        return engine.store(tier).delete(keys)
    except TierkeeperError as error:
        _log.warning("a bulk delete failed", tier=tier, objects=len(keys), error=str(error))
        return [DeleteResult(key, DeleteState.FAILED, str(error), error.code) for key in keys]


def alarm(results: Iterable[tuple[str, DeleteResult]]) -> None:
    """Log what stores refused: one line per tier and code, however many keys it hit."""
    failed: dict[tuple[str, str], list[DeleteResult]] = {}
    for tier, result in results:
        if result.state is not DeleteState.DELETED:
            failed.setdefault((tier, result.code), []).append(result)
    for (tier, code), of_code in failed.items():
        first = of_code[0]
        _log.warning(
            "a store does not delete",
            tier=tier,
            error=code,
            objects=len(of_code),
            location=first.key.location,
            message=first.detail,
        )
