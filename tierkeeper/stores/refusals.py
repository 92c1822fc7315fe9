"""Which errors of a store are refusals of what was asked."""

from tierkeeper.stores.errors import StoreTransient
from tierkeeper.values.refusals import Reason
from tierkeeper_client.errors import TierkeeperError


def refusal(error: TierkeeperError) -> Reason | None:
    """Return what was refused; None for an error that may pass, which says nothing of it: `health` asks the tier."""
    return None if isinstance(error, StoreTransient) else Reason(error.code, str(error))
