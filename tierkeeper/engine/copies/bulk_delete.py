"""Bulk deletes: one outcome per key, whatever the store raises, so that a fault of one tier does not stop others."""

from collections.abc import Sequence

from tierkeeper.base import log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies.transfer import fault
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey

_log = log.get(__name__)


def remove(engine: Engine, tier: str, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
    """Delete up to ``delete_batch`` keys of a tier in one call; return one result per key, in their order.

    If the call itself fails, the fate of its keys is unknown: all are FAILED, and a later collect repeats them.
    """
    try:
        return engine.store(tier).delete(keys)
    except TierkeeperError as error:
        _log.warning("a bulk delete failed", tier=tier, keys=len(keys), error=str(error))
        reason = str(error)
    except Exception as error:  # noqa: BLE001  one tier never stops the others
        reason = str(fault(tier, error))
    return [DeleteResult(key, DeleteState.FAILED, reason) for key in keys]
