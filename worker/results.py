"""The result store: Celery's for Redis, in which a final answer stays and any other is replaced by the next.

Celery never overwrites a result whose state is SUCCESS, and a refusal has that state too. So a refusal would stay until
``results.expires``, although the same message, sent again under its key, was carried out meanwhile.
"""

from collections.abc import Mapping
from typing import Any, Final

from celery import states
from celery.backends.redis import RedisBackend

from tierkeeper_client.contract import SENDING_HEADER, SENDINGS_FIELD, is_final
from tierkeeper_client.identifiers import MAX_HEADER

#: the names that Celery has for its backend of `results.url`, for whatever scheme
NAMES: Final = ("redis", "rediss")
_MOST_SENDINGS: Final = 20  # that a result names: the latest


class Results(RedisBackend):
    """Stores a result in place of one that is not final, with the sendings of the client that it answers."""

    def _store_result(
        self,
        task_id: str,
        result: Any,  # noqa: ANN401  Celery's own
        state: str,
        traceback: Any = None,  # noqa: ANN401  as above
        request: Any = None,  # noqa: ANN401  as above
        **_more: Any,  # noqa: ANN401  as above
    ) -> Any:  # noqa: ANN401  as above
        describe = getattr(self, "_get_result_meta")  # noqa: B009  the stubs lack it
        meta = describe(result=result, state=state, traceback=traceback, request=request)
        sending = (getattr(request, "headers", None) or {}).get(SENDING_HEADER)
        self.ensure(self._replace, (self.get_key_for_task(task_id), {**meta, "task_id": task_id}, sending))
        return result

    def _replace(self, key: bytes, meta: Mapping[str, Any], sending: object) -> None:
        """Write a result, unless a final one is there; another worker's in between is seen, and judged in its turn."""

        def write(transaction: Any) -> None:  # noqa: ANN401  a pipeline of redis-py
            stored = transaction.get(key)
            known = self.decode_result(stored) if stored else {}
            transaction.multi()
            if known.get("status") == states.SUCCESS and is_final(known["result"]):
                return
            value = self.encode({**meta, SENDINGS_FIELD: _sendings(known, sending)})
            transaction.set(key, value, ex=getattr(self, "expires") or None)  # noqa: B009  as above
            transaction.publish(key, value)  # to plain producers that wait for it

        self.client.transaction(write, key)


def _sendings(known: Mapping[str, Any], sending: object) -> list[str]:
    """Return the sendings that a result answers: those of the result that it replaces, and its message's own."""
    answered = known.get(SENDINGS_FIELD)
    sendings = [one for one in answered if one != sending] if isinstance(answered, list) else []
    if isinstance(sending, str) and len(sending) <= MAX_HEADER:
        sendings.append(sending)
    return sendings[-_MOST_SENDINGS:]
