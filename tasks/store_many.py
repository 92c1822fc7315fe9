from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper.values.artifacts import ItemError, Ref
from tierkeeper_client.contract import StoreArgs, StoreManyMessage, TaskName, validated
from tierkeeper_client.errors import FINAL_FIELD, InvalidInput, from_answer
from tierkeeper_client.identifiers import MAX_NAME_BYTES
from tierkeeper_client.limits import Bounds


@shared_task(bind=True, base=VerbTask, name=TaskName.STORE_MANY.value, arguments=StoreManyMessage)
def store_many(self: VerbTask, arguments: StoreManyMessage) -> dict[str, Any]:
    """Store many small artifacts and answer with an outcome for each, in their order.

    If an item's error is retryable, the whole message is retried; items stored by then stay as they are. The answer is
    not final where an item failed: sent again under the same key, only such items are stored.
    """
    items = [_read(item, self.limits) for item in arguments.items]
    results = keeper.current().artifacts.store_many(items, caller=self.caller)
    for result in results:
        if isinstance(result, ItemError) and (error := from_answer(result.error)).retryable:
            raise error
    failed = any(isinstance(result, ItemError) for result in results)
    return {"results": results, **({FINAL_FIELD: False} if failed else {})}


def _read(item: object, limits: Bounds) -> StoreArgs | ItemError:
    """Return the item, or its error if it cannot be used, which does not concern the other items."""
    fields = item if isinstance(item, dict) else {}
    try:
        return validated(StoreArgs, fields, within=limits)
    except InvalidInput as error:
        tenant, workflow, name = (str(fields.get(key, ""))[:MAX_NAME_BYTES] for key in ("tenant", "workflow", "name"))
        return ItemError(Ref(tenant, workflow, name), error.as_dict())
