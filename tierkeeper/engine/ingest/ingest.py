"""Store artifacts: one at a time or many in one batch; each item gets an outcome of its own.

1. read: a first pass over the content, so that its hash is known; bad input is refused here. A crash leaves nothing.
2. intend (transaction): what was delivered before is answered from ``commands``; blob rows are taken (R13);
   ``copying`` rows for the tiers that must have a copy before store returns and have none (R1). A crash leaves intents;
   collect removes them.
3. write: the bytes, verified, and in places that have the tier's mark after that too (R19). A copy that was there
   already counts only if its tier's mark is read now: else the item is refused as new bytes are. A crash leaves bytes
   under intents; collect removes both.
4. commit (transaction): THE COMMIT POINT. Blobs, names, then the rest (R14); uploads become present, or doomed where
   somebody was faster (R5); versions, schedule, ``commands``, events. A lost reply is resolved by running it again:
   ``commands`` has the result. An item whose copy vanished since step 2 starts again there.
5. lock: under retention the present copies are locked before store returns. A crash leaves the artifact due; converge
   locks it.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, cast

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable, InvalidInput, TierkeeperError
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import artifacts, blobs, placements, tenants
from tierkeeper.catalog.rows import NewIntent
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import locking, settlement, streams
from tierkeeper.engine.copies.transfer import Intent, Renewal, fault, uploaded
from tierkeeper.engine.ingest import content as contents
from tierkeeper.engine.ingest import storing
from tierkeeper.engine.ingest.storing import Incoming
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.clocks import check_metadata
from tierkeeper.policy.decide import entry_tiers, first_written
from tierkeeper.values.artifacts import ItemError, Ref, StoreResult
from tierkeeper_client.contract import StoreArgs

#: how often an item may start again because its copy vanished between two steps; each time needs a purge to slip in
_ROUNDS = 5

Outcome = StoreResult | ItemError


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """Step 3's result for one item: its verified uploads, or its error."""

    uploads: tuple[placements.Upload, ...]
    error: TierkeeperError | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Step 3's result: of each item by position; and which tiers of those with copies that count confirmed."""

    items: dict[int, WrittenItem]
    confirmed: frozenset[str]


def store(engine: Engine, args: StoreArgs, *, caller: Caller, content: BinaryIO | None = None) -> StoreResult:
    """Store one artifact; raises the item's own error."""
    caller = caller.keyed()
    with ExitStack() as stack:
        # content that is given is known by its bytes only: once they are read, the commit finds an earlier delivery
        asked = [(0, args)] if content is None else []
        opening = storing.opening(engine, asked, caller=caller, verb="store")
        if opening.known:
            return opening.known[0]
        incoming = step_1_read(engine, stack, 0, args, given=content, caller=caller, verb="store", opening=opening)
        outcome = _store_all(engine, [incoming], caller=caller)[0]
    if isinstance(outcome, TierkeeperError):
        raise outcome
    return outcome


def store_many(engine: Engine, items: Sequence[StoreArgs | ItemError], *, caller: Caller) -> list[Outcome]:
    """Store a batch of small artifacts; one outcome each, in their order: what is an error already stays one."""
    caller = caller.keyed()
    asked = [(position, args) for position, args in enumerate(items) if isinstance(args, StoreArgs)]
    outcomes: dict[int, StoreResult | TierkeeperError] = {}
    incoming: list[Incoming] = []
    with ExitStack() as stack:
        opening = storing.opening(engine, asked, caller=caller, verb="store_many")
        outcomes.update(opening.known)
        for position, args in asked:
            if position in outcomes:
                continue
            try:
                incoming.append(
                    step_1_read(
                        engine, stack, position, args, given=None, caller=caller, verb="store_many", opening=opening
                    )
                )
            except TierkeeperError as error:
                outcomes[position] = error
        outcomes.update(_store_all(engine, incoming, caller=caller))
    return [args if isinstance(args, ItemError) else _reported(args, outcomes[i]) for i, args in enumerate(items)]


def _reported(args: StoreArgs, outcome: StoreResult | TierkeeperError) -> Outcome:
    if isinstance(outcome, TierkeeperError):
        return ItemError(Ref(args.tenant, args.workflow, args.name), outcome.as_dict())
    return outcome


def _store_all(
    engine: Engine, incoming: Sequence[Incoming], *, caller: Caller
) -> dict[int, StoreResult | TierkeeperError]:
    """Steps 2 to 5 for items whose content is at hand; by position in the batch."""
    outcomes: dict[int, StoreResult | TierkeeperError] = {}
    left = list(incoming)
    for _ in range(_ROUNDS):
        if not left:
            return outcomes
        prepared = step_2_intend(engine, left)
        written = step_3_write(engine, prepared)
        for item in left:
            error = written.items[item.position].error
            if error is not None:
                outcomes[item.position] = error
        going = [i for i in prepared.items if i.position not in outcomes]
        results, locks = step_4_commit(engine, prepared, going, written, caller=caller)
        step_5_lock(engine, locks)
        outcomes.update(results)
        left = [item for item in left if item.position not in outcomes]
    for item in left:
        outcomes[item.position] = CatalogUnavailable(reason=f"the copies of {item.ref} changed again and again")
    return outcomes


def step_1_read(
    engine: Engine,
    stack: ExitStack,
    position: int,
    args: StoreArgs,
    *,
    given: BinaryIO | None,
    caller: Caller,
    verb: str,
    opening: storing.Opening,
) -> Incoming:
    """Open and hash one item's content and find its policy; refuse what can't be stored."""
    read = stack.enter_context(contents.opened(engine, args, given))
    now = opening.moment.now
    if args.created is not None and args.created > now + timedelta(seconds=60):
        raise InvalidInput(
            field="created",
            value=args.created.isoformat(),
            problem="it is in the future",
            fix="Leave it out, or give the time at which the content was made.",
        )
    incoming = Incoming(
        position=position,
        args=args,
        content=read,
        created=min(args.created or now, now),
        delivery=storing.delivery(
            position, args, caller=caller, verb=verb, given=None if given is None else read.sha256
        ),
    )
    policy = opening.moment.policies.governing(incoming.subject)
    # a metadata clock that can't be read is refused now, not found out at a sweep
    check_metadata(policy, args.metadata)
    return incoming


def step_2_intend(engine: Engine, items: Sequence[Incoming]) -> storing.Prepared:
    """Commit ``copying`` rows for what must be written before store returns."""
    token = new_id()

    def unit(connection: sa.Connection) -> storing.Prepared:
        scopes = tenants.scopes(connection, [i.args.tenant for i in items])
        taken = blobs.take(connection, [(scopes[i.args.tenant], i.content.sha256, i.content.size) for i in items])
        moment = Moment.read(connection, engine)
        copies = placements.of_blobs(connection, sorted(set(taken.values())))
        latest = artifacts.latest_numbers(connection, [(i.args.tenant, i.args.workflow, i.args.name) for i in items])
        intents: dict[int, list[Intent]] = {}
        firsts: dict[int, frozenset[str]] = {}
        everywhere: set[str] = set()
        rows = []
        begun: set[tuple[object, str]] = set()
        for item in items:
            blob = taken[scopes[item.args.tenant], item.content.sha256]
            policy = moment.policies.governing(item.subject)
            entry = entry_tiers(policy)
            first = first_written(policy, entry, engine.tiers)
            held = {p.tier for p in copies[blob] if settlement.good(p)}
            intents[item.position] = []
            firsts[item.position] = first
            everywhere |= held
            for tier in sorted(first - held):
                if (blob, tier) in begun or tier not in engine.stores:  # step 3 refuses who needs one that is not
                    continue
                begun.add((blob, tier))
                target = engine.store(tier)
                info = item.info(new_id(), latest[item.args.tenant, item.args.workflow, item.args.name] + 1)
                intent = Intent(info.placement, blob, tier, target.location(info), info, ())
                intents[item.position].append(intent)
                rows.append(
                    NewIntent(
                        id=intent.placement,
                        blob_id=blob,
                        artifact_id=item.artifact if target.readable_layout else None,
                        tier=tier,
                        location=intent.location,
                        token=token,
                        lease_until=moment.now + timedelta(seconds=engine.lease),
                        placed_by=f"{policy.label}: phase {policy.phases[0].after}",
                    )
                )
        placements.intend(connection, rows)
        return storing.Prepared(token, list(items), scopes, intents, firsts, frozenset(everywhere))

    return engine.catalog.run(unit)


def step_3_write(engine: Engine, prepared: storing.Prepared) -> Written:
    """Write the bytes of every item into its tiers, some items at once; refuse what rests on a tier that is away."""
    numbers = engine.settings.engine

    def renew() -> None:
        engine.catalog.run(lambda c: placements.renew(c, prepared.token, lease_seconds=engine.lease))

    renewal = Renewal(renew, every=numbers.renew_every.total_seconds(), cap=numbers.lease_cap.total_seconds())

    def write(item: Incoming) -> WrittenItem:
        uploads = []
        tier = ""
        try:
            for intent in prepared.intents[item.position]:
                tier = intent.tier
                item.content.file.seek(item.content.start)
                content = cast("BinaryIO", streams.Noted(item.content.file, renewal.progressed))
                stored = engine.store(intent.tier).put(intent.location, content, intent.info)
                uploads.append(uploaded(engine, intent, stored, progressed=renewal.progressed))
                renewal.progressed()
        except TierkeeperError as error:
            return WrittenItem(tuple(uploads), error)
        except Exception as error:  # noqa: BLE001  one bad item never stops its batch
            return WrittenItem(tuple(uploads), fault(tier, error))
        return WrittenItem(tuple(uploads))

    tiers = prepared.first
    used = {i.tier for intents in prepared.intents.values() for i in intents}
    relied = frozenset[str]().union(*tiers.values())
    away = engine.refused(relied, before=True)
    # a bound store tells of its place within each call: where an item writes nothing it is asked here
    held = {t for p, its in tiers.items() for t in its - {i.tier for i in prepared.intents[p]}}
    # an artifact that left its first tiers rests on what it has elsewhere: that refuses nobody who writes
    elsewhere = prepared.held - relied
    unread = engine.refused(elsewhere, before=True)
    held = (held | (elsewhere - unread.keys())) - away.keys()
    away |= engine.marks.refused((s for s in map(engine.store, sorted(held)) if s.bound), bound=True)
    going = [item for item in prepared.items if not tiers[item.position] & away.keys()]
    written = dict(zip((item.position for item in going), engine.in_parallel(write, going), strict=True))
    away |= engine.refused(used - away.keys())
    for position, its in tiers.items():
        if refused := its & away.keys():
            written[position] = WrittenItem((), away[min(refused)])
    return Written(written, (relied | elsewhere) - away.keys() - unread.keys())


def step_4_commit(
    engine: Engine,
    prepared: storing.Prepared,
    items: Sequence[Incoming],
    written: Written,
    *,
    caller: Caller,
) -> tuple[dict[int, StoreResult | TierkeeperError], list[locking.Lock]]:
    """The commit point; items whose copy vanished have no result and start again."""
    uploads = [upload for w in written.items.values() for upload in w.uploads]
    confirmed = written.confirmed
    return engine.catalog.run(
        lambda connection: storing.commit(
            connection, engine, prepared, items, uploads, confirmed=confirmed, caller=caller
        )
    )


def step_5_lock(engine: Engine, locks: Sequence[locking.Lock]) -> None:
    """Lock before returning what retention wants locked; what fails is due again."""
    locking.apply(engine, locks)
