"""What would become of items at once, were they stored now: nothing is read or written but the policies."""

import io
from collections.abc import Sequence
from uuid import UUID

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import commit
from tierkeeper.engine.ingest.commit import Incoming
from tierkeeper.engine.ingest.sources import Body
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action
from tierkeeper_client.contract import StoreArgs

_NONE = UUID(int=0)
_NO_DIGEST = bytes(32)


def past_purge(engine: Engine, items: Sequence[tuple[StoreArgs, int]], *, caller: Caller) -> list[bool]:
    """Return for each item, with its bytes, True if its policy would delete it for its ``created`` right away."""
    caller = caller.keyed()
    with engine.catalog.reading() as connection:
        moment = Moment.read(connection, engine)
    return [_past(moment, args, size, caller) for args, size in items]


def _past(moment: Moment, args: StoreArgs, size: int, caller: Caller) -> bool:
    item = Incoming(
        position=0,
        args=args,
        caller=caller,
        content=Body(io.BytesIO(), 0, _NO_DIGEST, size, ""),
        created=min(args.created or moment.now, moment.now),
        delivery=commit.AskedStore(0, args, caller, "store", 0).delivered(),
    )
    policy = moment.policies.governing(item.subject)
    place = commit.Destination(blob=_NONE, policy=policy, first=frozenset(), needed=frozenset())
    return moment.decide(commit.new_row(moment, item, _NONE, 1, place)).action is Action.DELETE
