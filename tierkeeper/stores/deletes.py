"""What the results of a delete say of the keys that stay."""

from collections.abc import Iterable

from tierkeeper.stores.base import DeleteResult, DeleteState
from tierkeeper.values.refusals import Reason


def first_refusal(results: Iterable[DeleteResult]) -> Reason | None:
    """Return why the first of these keys was not deleted; None if all were."""
    refused = next((each for each in results if each.state is not DeleteState.DELETED), None)
    return None if refused is None else Reason(refused.code, f"{refused.key.location}: {refused.detail}")
