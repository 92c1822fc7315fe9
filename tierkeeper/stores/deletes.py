"""What the results of a delete say of the keys that stay."""

from collections.abc import Iterable

from tierkeeper.stores.base import DeleteResult, DeleteState
from tierkeeper.values.refusals import LOCKED, Reason


def reason(result: DeleteResult) -> Reason:
    """Return why this key was not deleted."""
    return Reason(LOCKED if result.state is DeleteState.LOCKED else result.code, result.detail)


def first_refusal(results: Iterable[DeleteResult]) -> Reason | None:
    """Return why the first of these keys was not deleted; None if all were."""
    refused = next((each for each in results if each.state is not DeleteState.DELETED), None)
    if refused is None:
        return None
    found = reason(refused)
    return Reason(found.code, f"{refused.key.location}: {found.words}")
