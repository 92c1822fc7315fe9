"""Items of a batch that are there already, unchanged: answered before step 1 by one question to the catalog.

Only what is clearly so is answered: any other item takes every step of ``ingest``. Nothing is locked or written, so an
answer is true of the moment of the question, as that of step 4 is of its commit. The copies it rests on are in tiers
whose marks were read after the catalog's answer (R19).
"""

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, Final

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.catalog import unchanged
from tierkeeper.catalog.unchanged import AskedItem, UnchangedVersion
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import sources
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.clocks import check_metadata
from tierkeeper.policy.match import Subject
from tierkeeper.values.artifacts import ContentOpening, Ref, StoreResult
from tierkeeper_client.contract import StoreArgs

_AT_ONCE: Final = 128  # files that one thread reads: a small one takes less time than handing it to a thread

_Item = tuple[int, StoreArgs]


@dataclass(frozen=True, slots=True)
class AnsweredItems:
    """The results of the items that are unchanged, by position; ``contents`` opens what was read of the others.

    ``held``: the items whose whole content is in memory.
    """

    results: dict[int, StoreResult]
    contents: Mapping[int, ContentOpening]
    held: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of an item's content: all of it where ``sha256`` is known, else nothing."""

    opening: ContentOpening
    sha256: bytes | None = None
    size: int = 0


def known(
    engine: Engine,
    stack: ExitStack,
    items: Sequence[_Item],
    contents: Mapping[int, ContentOpening],
    *,
    caller: Caller,
) -> AnsweredItems:
    """Return what is unchanged of the items whose small content is given beside their arguments.

    A caller with a key is owed the same answer to a second delivery, which only the commit writes down: nothing is
    known for it. ``stack`` closes what stays open.
    """
    if caller.key or not contents:
        return AnsweredItems({}, contents)
    asked = [item for item in items if item[0] in contents]
    pieces = [asked[i : i + _AT_ONCE] for i in range(0, len(asked), _AT_ONCE)]
    read = dict(chain.from_iterable(engine.in_parallel(partial(_read, stack, contents), pieces)))
    opened = {**contents, **{position: each.opening for position, each in read.items()}}
    with engine.catalog.reading() as connection:
        moment = Moment.read(connection, engine)
        plain = _clear(moment, asked, read)
        active = [policy.id for policy in moment.policies if policy.id is not None]
        found = unchanged.find(connection, plain, policies=active) if plain else []
    named = {each.position: each for each in plain}
    confirmed = _confirmed(engine, found)
    results = {
        each.position: _result(named[each.position], each, confirmed) for each in found if each.wanted <= confirmed
    }
    return AnsweredItems(results, opened, frozenset(p for p, each in read.items() if each.sha256 is not None))


def _read(stack: ExitStack, contents: Mapping[int, ContentOpening], items: Sequence[_Item]) -> list[tuple[int, _Read]]:
    """Read and hash small contents; those that cannot be read, or are large, are left to step 1."""
    return [(position, _one_read(stack, contents[position])) for position, _args in items]


def _one_read(stack: ExitStack, opening: ContentOpening) -> _Read:
    try:
        file = opening()
    except OSError:
        return _Read(opening)
    if not file.seekable():  # what is read of a pipe is gone
        stack.enter_context(file)
        return _Read(partial(_same, file))
    with file:
        try:
            head = sources.small(file)
        except (OSError, TierkeeperError):
            head = None
    if head is None:
        return _Read(opening)
    return _Read(partial(io.BytesIO, head), hashlib.sha256(head).digest(), len(head))


def _same(file: BinaryIO) -> BinaryIO:
    return file


def _clear(moment: Moment, items: Sequence[_Item], read: Mapping[int, _Read]) -> list[AskedItem]:
    """Return the items about which the catalog can be asked: read, unforced, of a name of their own, not refused."""
    by_metadata = any(policy.clock_field is not None for policy in moment.policies)
    names = Counter((args.tenant, args.workflow, args.name) for _position, args in items)
    asked = []
    for position, args in items:
        sha256 = read[position].sha256
        if sha256 is None or args.force or names[args.tenant, args.workflow, args.name] > 1:
            continue
        if args.sha256 not in {None, sha256.hex()} or (args.created is not None and args.created > moment.now):
            continue
        if (by_metadata or args.metadata) and not _readable(moment, args, read[position].size):
            continue
        fields = (args.tenant, args.workflow, args.name, sha256, args.content_type, args.metadata, args.tags)
        asked.append(AskedItem(position, *fields))
    return asked


def _readable(moment: Moment, args: StoreArgs, size: int) -> bool:
    """Return True if the policy can read what it needs of an item's metadata; step 1 refuses the others."""
    tags = tuple(sorted(args.tags.items()))
    subject = Subject(args.tenant, args.workflow, args.name, tags, args.content_type, size)
    try:
        check_metadata(moment.policies.governing(subject), args.metadata)
    except TierkeeperError:
        return False
    return True


def _confirmed(engine: Engine, found: Sequence[UnchangedVersion]) -> frozenset[str]:
    """Return the tiers with a copy of these versions that confirm now to be their own places."""
    tiers = sorted({tier for each in found for tier in each.tiers if tier in engine.stores})
    return frozenset(tiers) - engine.marks.refused(map(engine.store, tiers), bound=True).keys()


def _result(item: AskedItem, version: UnchangedVersion, confirmed: frozenset[str]) -> StoreResult:
    ref = Ref(item.tenant, item.workflow, item.name, version.version)
    tiers = tuple(tier for tier in version.tiers if tier in confirmed)
    return StoreResult(ref, version.artifact, item.sha256.hex(), version.size, tiers, "unchanged")
