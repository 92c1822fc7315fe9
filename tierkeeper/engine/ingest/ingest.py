"""Store artifacts: one at a time or many in one batch; each item gets an outcome of its own.

A repeated delivery is answered from ``commands``: before step 1, or in step 4 where its content was given beside its
arguments, or the first delivery committed meanwhile. Items of a batch that are there unchanged are answered before step
1 too (:mod:`tierkeeper.engine.ingest.unchanged`).

1. read: make a first pass over the content, which gives its hash, and refuse invalid input. A crash leaves nothing.
2. intend (transaction): take the blob rows (R13); insert ``copying`` rows for the tiers that must have a copy before
   store returns and have none (R1). A crash leaves intents; collect removes them.
3. write: write and verify the bytes, in places that have the tier's mark afterwards too (R19). A copy that existed
   before counts only if its tier's mark is read now; otherwise the item is refused, as it is for new bytes. A crash
   leaves bytes under intents; collect removes both.
4. commit (transaction): THE COMMIT POINT. Lock blobs, names, then the rest (R14); uploads become present, or doomed
   where another copy counts already (R5); write versions, schedule, ``commands``, events. A crash leaves the artifact
   stored, and due for what else it wants. A lost reply is resolved by running it again: ``commands`` has the result. An
   item whose copy vanished since step 2 starts again at step 2.
5. lock: set the locks of retention on the present copies before store returns. A crash leaves the artifact due, and
   converge sets them.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable, InvalidInput, TierkeeperError
from tierkeeper.base.ids import in_order, new_id
from tierkeeper.catalog import artifacts, blobs, dedup_scopes, placements
from tierkeeper.catalog.rows import NewIntent
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates, worm
from tierkeeper.engine.copies.transfer import Intent, Renewal
from tierkeeper.engine.ingest import commit, sources, unchanged, writing
from tierkeeper.engine.ingest.commit import Incoming
from tierkeeper.engine.ingest.writing import WrittenItem
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.clocks import check_metadata
from tierkeeper.policy.decide import entry_tiers, first_written
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import ContentOpening, ItemError, ItemResult, Ref, StoreResult
from tierkeeper_client.contract import InlineContent, StoreArgs

#: rounds of an item whose copy vanishes between two steps; each further round needs another purge in between
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Written:
    """The result of step 3: items by position; ``confirmed``: the tiers whose places were confirmed (R19)."""

    items: dict[int, WrittenItem]
    confirmed: frozenset[str]


def store(engine: Engine, args: StoreArgs, *, caller: Caller, content: BinaryIO | None = None) -> StoreResult:
    """Store one artifact; ``content``: its bytes where ``args`` does not name them. Raises the item's own error."""
    caller = caller.keyed()
    asked = commit.AskedStore(0, args, caller, "store", 0)
    outcome = _store_asked(engine, [asked], given={} if content is None else {0: content}, caller=caller)[0]
    if isinstance(outcome, TierkeeperError):
        raise outcome
    return outcome


def store_together(
    engine: Engine, stores: Sequence[tuple[StoreArgs, Caller]], *, caller: Caller
) -> list[StoreResult | TierkeeperError]:
    """Store artifacts of many callers, with inline content, in one batch; return one outcome each, in their order.

    Each is a command of its own, with its caller's key, actor and correlation. ``caller``: of the work for all of them.
    Raises what one of them, or all, cannot be stored by in a batch: then nothing is known of any.
    """
    asked = [commit.AskedStore(position, args, own.keyed(), "store", 0) for position, (args, own) in enumerate(stores)]
    return _store_asked(engine, asked, given={}, caller=caller)


def _store_asked(
    engine: Engine, asked: Sequence[commit.AskedStore], *, given: Mapping[int, BinaryIO], caller: Caller
) -> list[StoreResult | TierkeeperError]:
    """Take all steps for items that are read one after another; ``given``: content beside the arguments."""
    with ExitStack() as stack:
        # a delivery with given content is identified by its bytes too: only the commit, after reading, can find it
        opening = commit.opening(engine, [item for item in asked if item.position not in given])
        outcomes: dict[int, StoreResult | TierkeeperError] = {**opening.known}
        incoming: list[Incoming] = []
        for item in asked:
            if item.position in outcomes:
                continue
            content = given.get(item.position)
            try:
                incoming.append(step_1_read(engine.settings, stack, item, given=content, opening=opening))
            except TierkeeperError as error:
                outcomes[item.position] = error.with_traceback(None)  # which would hold what holds it
        outcomes.update(_store_all(engine, incoming, caller=caller))
    return [outcomes[item.position] for item in asked]


def store_many(
    engine: Engine,
    items: Sequence[StoreArgs | ItemError],
    *,
    caller: Caller,
    contents: Mapping[int, ContentOpening] | None = None,
) -> list[ItemResult]:
    """Store a batch of artifacts; return one outcome each, in their order. Items that are errors stay errors.

    ``contents`` opens, by position, the content of items whose ``args`` do not name it.
    """
    whole = [(position, args) for position, args in enumerate(items) if isinstance(args, StoreArgs)]
    outcomes: dict[int, StoreResult | TierkeeperError] = {}
    incoming: list[Incoming] = []
    with ExitStack() as stack:
        known = unchanged.known(engine, stack, whole, contents or {}, caller=caller)
        if len(known.results) == len(items):
            return [known.results[position] for position in range(len(items))]
        outcomes.update(known.results)
        given = known.contents
        caller = caller.keyed()
        asked = [commit.AskedStore(position, args, caller, "store_many", position) for position, args in whole]
        named = [item for item in asked if item.position not in given]
        opening = commit.opening(engine, named)
        outcomes.update(opening.known)
        unread = [item for item in asked if item.position not in outcomes]
        stacks = {item.position: stack.enter_context(ExitStack()) for item in unread}

        def read(item: commit.AskedStore) -> Incoming | TierkeeperError:
            position = item.position
            own = stacks[position]
            try:
                file = own.enter_context(sources.given(item.args, given[position])) if position in given else None
                return step_1_read(engine.settings, own, item, given=file, opening=opening)
            except TierkeeperError as error:
                return error

        # a thread for what is in memory costs more than it does
        in_memory = known.held | {item.position for item in named if isinstance(item.args.content, InlineContent)}
        others = [item for item in unread if item.position not in in_memory]
        in_threads = dict(zip((i.position for i in others), engine.in_parallel(read, others), strict=True))
        for item in unread:
            result = in_threads[item.position] if item.position in in_threads else read(item)
            if isinstance(result, TierkeeperError):
                outcomes[item.position] = result
            else:
                incoming.append(result)
        outcomes.update(_store_all(engine, incoming, caller=caller))
    return [args if isinstance(args, ItemError) else _reported(args, outcomes[i]) for i, args in enumerate(items)]


def _reported(args: StoreArgs, outcome: StoreResult | TierkeeperError) -> ItemResult:
    if isinstance(outcome, TierkeeperError):
        return ItemError(Ref(args.tenant, args.workflow, args.name), outcome.as_dict())
    return outcome


def _store_all(
    engine: Engine, incoming: Sequence[Incoming], *, caller: Caller
) -> dict[int, StoreResult | TierkeeperError]:
    """Take steps 2 to 5 for items whose content is open; return the outcomes by position in the batch."""
    outcomes: dict[int, StoreResult | TierkeeperError] = {}
    remaining = list(incoming)
    for _ in range(_ROUNDS):
        if not remaining:
            return outcomes
        prepared = step_2_intend(engine, remaining, caller=caller)
        written = step_3_write(engine, prepared, caller=caller)
        for item in remaining:
            error = written.items[item.position].error
            if error is not None:
                outcomes[item.position] = error
        going = [i for i in prepared.items if i.position not in outcomes]
        results, locks = step_4_commit(engine, prepared, going, written, caller=caller)
        step_5_lock(engine, locks)
        outcomes.update(results)
        remaining = [item for item in remaining if item.position not in outcomes]
    for item in remaining:
        outcomes[item.position] = CatalogUnavailable(reason=f"the copies of {item.ref} changed again and again")
    return outcomes


def step_1_read(
    settings: Settings, stack: ExitStack, item: commit.AskedStore, *, given: BinaryIO | None, opening: commit.Opening
) -> Incoming:
    """Open and hash one item's content and find its policy; raises what refuses the item.

    ``stack`` keeps the content open.
    """
    args = item.args
    read = stack.enter_context(sources.opened(settings, args, given))
    now = opening.moment.now
    if args.created is not None and args.created > now + timedelta(seconds=60):
        raise InvalidInput(
            field="created",
            value=args.created.isoformat(),
            problem="it is in the future",
            fix="Leave it out, or give the time at which the content was made.",
        )
    incoming = Incoming(
        position=item.position,
        args=args,
        caller=item.caller,
        content=read,
        created=min(args.created or now, now),
        delivery=item.delivered(read.sha256) if given is not None else opening.deliveries[item.position],
    )
    policy = opening.moment.policies.governing(incoming.subject)
    # an unreadable metadata clock is refused now, not discovered by a sweep
    check_metadata(policy, args.metadata)
    return incoming


def step_2_intend(engine: Engine, items: Sequence[Incoming], *, caller: Caller) -> commit.Prepared:
    """Commit ``copying`` rows for the copies that must be written before store returns."""
    return engine.catalog.run(caller, _intend_copies, engine, items, token=new_id())


def _intend_copies(
    connection: sa.Connection, engine: Engine, items: Sequence[Incoming], *, token: UUID
) -> commit.Prepared:
    scopes = dedup_scopes.scopes(connection, [i.args.tenant for i in items])
    taken = blobs.take(connection, [(scopes[i.args.tenant], i.content.sha256, i.content.size) for i in items])
    moment = Moment.read(connection, engine)
    copies = placements.of_blobs(connection, in_order(taken.values()))
    latest = artifacts.latest_numbers(connection, [(i.args.tenant, i.args.workflow, i.args.name) for i in items])
    intents: dict[int, list[Intent]] = {}
    firsts: dict[int, frozenset[str]] = {}
    everywhere: set[str] = set()
    retained: set[str] = set()
    rows = []
    begun: set[tuple[object, str]] = set()
    for item in items:
        blob = taken[scopes[item.args.tenant], item.content.sha256]
        policy = moment.policies.governing(item.subject)
        entry = entry_tiers(policy)
        first = first_written(policy, entry, engine.tiers)
        held = {p.tier for p in copies[blob] if fates.good(p)}
        intents[item.position] = []
        firsts[item.position] = first
        everywhere |= held
        retained |= worm.tiers_of([policy]) & (first | {p.tier for p in copies[blob]})
        for tier in sorted(first - held):
            if (
                blob,
                tier,
            ) in begun or tier not in engine.stores:  # step 3 refuses items whose tier is not configured
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
    return commit.Prepared(
        token, list(items), scopes, intents, firsts, held=frozenset(everywhere), retained=frozenset(retained)
    )


def step_3_write(engine: Engine, prepared: commit.Prepared, *, caller: Caller) -> Written:
    """Write the bytes into the tiers, items in parallel; refuse the items that rely on a tier that is away."""
    numbers = engine.settings.engine

    def renew() -> None:
        engine.catalog.run(caller, placements.renew, prepared.token, lease_seconds=engine.lease)

    renewal = Renewal(renew, every=numbers.renew_every.total_seconds(), cap=numbers.lease_cap.total_seconds())

    tiers = prepared.first
    used = {i.tier for intents in prepared.intents.values() for i in intents}
    relied = frozenset[str]().union(*tiers.values())
    away = engine.refused(relied, before=True)
    # a bound store checks its place within each call: where an item writes nothing, it is checked here
    held = {t for p, its in tiers.items() for t in its - {i.tier for i in prepared.intents[p]}}
    # an artifact that left its first tiers relies on copies elsewhere: those tiers do not refuse items that write
    elsewhere = prepared.held - relied
    unread = engine.refused(elsewhere, before=True)
    held = (held | (elsewhere - unread.keys())) - away.keys()
    away |= engine.marks.refused((s for s in map(engine.store, sorted(held)) if s.bound), bound=True)
    going = [item for item in prepared.items if not tiers[item.position] & away.keys()]
    written = writing.write(engine, prepared, going, renewal)
    away |= engine.refused(used - away.keys())
    for position, needed in tiers.items():
        if refused := needed & away.keys():
            written[position] = WrittenItem((), away[min(refused)])
    return Written(written, (relied | elsewhere) - away.keys() - unread.keys())


def step_4_commit(
    engine: Engine,
    prepared: commit.Prepared,
    items: Sequence[Incoming],
    written: Written,
    *,
    caller: Caller,
) -> tuple[dict[int, StoreResult | TierkeeperError], list[worm.RetentionLock]]:
    """Run the commit point: see :func:`commit.commit`. Items whose copy vanished have no result and start again."""
    uploads = [upload for w in written.items.values() for upload in w.uploads]
    lockable = worm.ask(engine, prepared.retained)
    return engine.catalog.run(
        caller,
        commit.commit,
        engine,
        prepared,
        items,
        uploads,
        confirmed=written.confirmed,
        lockable=lockable,
    )


def step_5_lock(engine: Engine, locks: Sequence[worm.RetentionLock]) -> None:
    """Set the WORM locks that retention wants; where one fails, the artifact is due again."""
    worm.apply(engine, locks)
