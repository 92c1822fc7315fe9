"""Bulk deletes: an outcome for each key, whatever the store raises, so that one tier's fault stops no other's."""

from collections.abc import Sequence

from tierkeeper.base import log
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies.transfer import fault
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey

_log = log.get(__name__)


def remove(engine: Engine, tier: str, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
    """Delete up to ``delete_batch`` keys of a tier in one call; one result each, in their order.

    Where the call itself failed nobody knows of any of them: all are FAILED, and asked for again later.
    """
    try:
        return engine.store(tier).delete(keys)
    except TierkeeperError as error:
        _log.warning("a bulk delete failed", tier=tier, keys=len(keys), error=str(error))
        told = str(error)
    except Exception as error:  # noqa: BLE001  one tier never stops the others
        told = str(fault(tier, error))
    return [DeleteResult(key, DeleteState.FAILED, told) for key in keys]
