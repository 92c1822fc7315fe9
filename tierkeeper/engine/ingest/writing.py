"""The bytes of a batch on their way into the tiers: items in parallel, many small ones of a tier together."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import BinaryIO, Final, cast

from tierkeeper.catalog import placements
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import streams
from tierkeeper.engine.copies.transfer import Intent, Renewal, in_threads, uploaded
from tierkeeper.engine.ingest import commit
from tierkeeper.engine.ingest.commit import Incoming
from tierkeeper.stores.base import Put, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, StoreError
from tierkeeper.stores.gate import fault
from tierkeeper_client.errors import TierkeeperError

#: objects that are written together: more would wait for the disk with nothing else at work
_TOGETHER: Final = 200
#: bytes of an object that is written together with others; a larger one takes longer than its waits for the disk
_SMALL: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """The result of step 3 for one item: its verified uploads, and its error if it has one."""

    uploads: tuple[placements.VouchedUpload, ...]
    error: TierkeeperError | None = None


def write(
    engine: Engine, prepared: commit.Prepared, items: Sequence[Incoming], renewal: Renewal
) -> dict[int, WrittenItem]:
    """Write what each item intends; return the results by position. The error of one stops no other."""
    groups = _together(engine, prepared, items)
    grouped = {item.position for group in groups for item in group}
    singles = [[item] for item in items if item.position not in grouped]
    work = _Work(engine, prepared, renewal)
    return dict(chain.from_iterable(in_threads(engine.threads, work.write, [*groups, *singles], renewal)))


def _together(engine: Engine, prepared: commit.Prepared, items: Sequence[Incoming]) -> list[list[Incoming]]:
    """Return the items that are written together, in groups of one tier each and of like length."""
    small: dict[str, list[Incoming]] = defaultdict(list)
    for item in items:
        intents = prepared.intents[item.position]
        if len(intents) == 1 and item.content.size <= _SMALL:
            small[intents[0].tier].append(item)
    groups: list[list[Incoming]] = []
    for tier, those in small.items():
        number = -(-len(those) // _TOGETHER)
        if 0 < _least(engine.store(tier)) * number <= len(those):
            ends = [len(those) * part // number for part in range(number + 1)]
            groups.extend(those[start:end] for start, end in pairwise(ends))
    return groups


def _least(store: Store) -> int:
    try:
        return store.puts_together
    except StoreError:  # each item's own write says it
        return 0


class _Work:
    """What step 3 does with a group of items."""

    def __init__(self, engine: Engine, prepared: commit.Prepared, renewal: Renewal) -> None:
        self._engine, self._prepared, self._renewal = engine, prepared, renewal

    def write(self, items: Sequence[Incoming]) -> list[tuple[int, WrittenItem]]:
        """Write a group of one tier together, a single item by itself."""
        if len(items) == 1:
            return [(items[0].position, self._written(items[0], self._put))]
        try:
            results = self._put_together(items)
        except Exception:  # noqa: BLE001  whoever's fault it is: each by itself shows it
            return [(item.position, self._written(item, self._put)) for item in items]
        return [(item.position, self._written(item, partial(_given, results))) for item in items]

    def _put(self, item: Incoming, intent: Intent) -> Stored:
        return self._engine.store(intent.tier).put(intent.location, self._content(item), intent.info)

    def _put_together(self, items: Sequence[Incoming]) -> Mapping[int, Stored | Exception]:
        intents = [self._prepared.intents[item.position][0] for item in items]
        puts = [Put(i.location, self._content(item), i.info) for item, i in zip(items, intents, strict=True)]
        with self._renewal.silent():  # it waits for the disk with nothing to report
            results = self._engine.store(intents[0].tier).put_many(puts)
        return {item.position: result for item, result in zip(items, results, strict=True)}

    def _content(self, item: Incoming) -> BinaryIO:
        item.content.file.seek(item.content.start)
        return cast("BinaryIO", streams.Noted(item.content.file, self._renewal.progressed))

    def _written(self, item: Incoming, put: Callable[[Incoming, Intent], Stored]) -> WrittenItem:
        progressed = self._renewal.progressed
        uploads = []
        tier = ""
        try:
            for intent in self._prepared.intents[item.position]:
                tier = intent.tier
                uploads.append(uploaded(self._engine, intent, put(item, intent), progressed=progressed))
                progressed()
        except ContentMismatch as error:
            return WrittenItem(tuple(uploads), item.content.changed(progressed) or error)
        except TierkeeperError as error:
            return WrittenItem(tuple(uploads), error)
        except Exception as error:  # noqa: BLE001  one bad item never stops its batch
            return WrittenItem(tuple(uploads), fault(tier, error))
        return WrittenItem(tuple(uploads))


def _given(results: Mapping[int, Stored | Exception], item: Incoming, _intent: Intent) -> Stored:
    result = results[item.position]
    if isinstance(result, Exception):
        raise result
    return result
