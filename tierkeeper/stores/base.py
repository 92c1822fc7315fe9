"""The port: what the engine asks of a place where bytes lie.

An adapter is one file beside this one, or a third party's package with an entry point in the group
``tierkeeper.stores`` (``scheme = module:callable``; the callable takes a :class:`StoreConfig`). Every adapter passes
``tests/integration/stores/contract.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, ClassVar, Protocol
from uuid import UUID

from tierkeeper.base.content import Content
from tierkeeper.base.states import RetentionMode, Vouched
from tierkeeper.stores.errors import LockUnsupported, StorePermanent
from tierkeeper.stores.marks import Guard, TierMark


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """What an adapter is made from: ``url`` without its query, and the query's options merged with the tier's."""

    tier: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    io_threads: int = 16  # how many calls the engine makes at once; size pools for it


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What travels with the bytes, so that a store can be read without the catalog."""

    tenant: str
    workflow: str
    name: str
    version: int
    placement: UUID
    sha256: bytes  # of the content, 32 bytes
    size: int  # of the content, bytes
    created: datetime
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def content(self) -> Content:
        """The bytes that this travels with."""
        return Content(self.sha256, self.size)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store says of one object: its size in bytes as stored, its version id and the SHA-256 it vouches for.

    ``sha256`` is None where the store cannot tell (it is never guessed from the request). ``vouched`` is None where
    nobody vouches for the bytes; of a :meth:`Store.copy`, PINNED says that they are exactly those that the key named,
    and so are as good as their source. ``pin`` names these bytes and no others: the version id, else the ETag, out of
    the answer of the very call that vouches, and None where that answer was lost or has neither (R16).
    """

    location: str
    size: int
    version: str | None = None
    sha256: bytes | None = None
    modified: datetime | None = None
    vouched: Vouched | None = None
    pin: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names an object. ``version`` None on a versioned store means, to a delete, every version and every open upload.

    ``pin``: only these bytes (:class:`Stored`); where the store can tell that others are there, they are not read and
    not copied, and the call raises ContentMismatch. A delete does not ask for it.
    """

    location: str
    version: str | None = None
    pin: str | None = None


class DeleteState(StrEnum):
    """The outcome of one key of a bulk delete; what is gone already counts as deleted."""

    DELETED = "deleted"
    FAILED = "failed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """One key's outcome, with the store's words where it failed."""

    key: ObjectKey
    state: DeleteState
    detail: str = ""


class Pieces(Iterator[bytes]):
    """The pieces of an object, and the pin of the very answer that they come in; None where it has none (R16)."""

    def __init__(self, pieces: Iterator[bytes], pin: str | None) -> None:
        self._pieces, self.pin = pieces, pin

    def __next__(self) -> bytes:
        return next(self._pieces)


def pin_of(pieces: Iterator[bytes]) -> str | None:
    """Return the pin of what was opened, where its store told one."""
    return pieces.pin if isinstance(pieces, Pieces) else None


class Memory(Protocol):
    """Keeps for a tier, beyond one process, what its store found out about its server."""

    def recall(self, server: str) -> Mapping[str, bool]:
        """Return what is known of ``server``; empty where nothing is."""

    def keep(self, server: str, seen: Mapping[str, bool]) -> None:
        """Keep what was seen of ``server``."""


class Store(ABC):
    """A place. Safe to use from many threads; made after fork; errors are those of ``tierkeeper.stores.errors``."""

    #: longest list that :meth:`delete` sends in one call
    delete_batch: ClassVar[int] = 1000

    #: asked by a :attr:`bound` store within each of its calls; None: the place is used whoever's it is
    guard: Guard | None = None

    def __init__(self, config: StoreConfig) -> None:
        self.config = config

    @property
    @abstractmethod
    def realm(self) -> str:
        """Stores with an equal realm can copy between each other on their own side (:meth:`copy`)."""

    @property
    def site(self) -> str:
        """The place in words, such as ``folder /srv/hot``; no secrets."""
        return f"the place of tier {self.config.tier}"

    @property
    def bound(self) -> bool:
        """Whether each call reads the mark where it does its work (one opened root, one session) and asks the guard.

        Where False, each call goes where the name leads at that moment, and the engine reads the mark before and after.
        """
        return False

    @property
    def can_lock(self) -> bool:
        """Whether :meth:`lock` works here (S3 Object Lock)."""
        return False

    @property
    def readable_layout(self) -> bool:
        """Whether a location carries the artifact's name (and must not outlive it)."""
        return False

    @property
    def storage_class(self) -> str | None:
        """The S3 storage class that objects get here, None where there are none."""
        return None

    @property
    def must_thaw(self) -> bool:
        """Whether what is written here cannot be read before it was thawed: it has to be right when it is written."""
        return False

    @property
    def is_database(self) -> bool:
        """Whether this is a database store (``clean_hot`` works on these)."""
        return False

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what is missing (folder, bucket, table), idempotently; return what was made, in words."""

    @abstractmethod
    def check(self) -> None:
        """Raise a :class:`StoreError` if the place cannot be used now. Changes nothing."""

    @abstractmethod
    def mark(self) -> TierMark | None:
        """Return the mark in the place, None where it has none; asks no guard.

        Raises TierNotOurs where the place is missing, MarkUnreadable where what lies there is no mark, and MarkNotRead
        where it is not known which of them it is.
        """

    @abstractmethod
    def write_mark(self, mark: TierMark) -> TierMark:
        """Write the mark where there is none; return the one that is there then, read back: another may be faster."""

    @abstractmethod
    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        """Write the mark instead of ``over``, and of no other; return the one that is there then, read back.

        ``over`` None: instead of what :meth:`mark` calls unreadable.
        """

    @abstractmethod
    def location(self, info: ObjectInfo) -> str:
        """Return the location for a new placement: unique, carrying the placement's id, never reused."""

    @abstractmethod
    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        """Write ``content`` (from its current position, ``info.size`` bytes) durably; all of it or nothing.

        Raises StoreTransient (the outcome may be unknown: HEAD it), StoreDenied, StoreFull, ContentMismatch (the
        bytes read were not ``info.sha256`` / ``info.size``; nothing is then visible at the location).
        """

    def copy(
        self,
        source: "Store",
        key: ObjectKey,  # noqa: ARG002  for the stores that can
        location: str,  # noqa: ARG002  as above
        info: ObjectInfo,  # noqa: ARG002  as above
    ) -> Stored:
        """Copy from a store of the same realm without the bytes passing through here; verified like :meth:`put`.

        Raises StorePermanent where the store can't: one whose realm no other shares need not.
        """
        reason = f"it cannot copy from tier {source.config.tier} by itself"
        raise StorePermanent(tier=self.config.tier, reason=reason)

    @abstractmethod
    def head(self, key: ObjectKey) -> Stored:
        """Say what is there, and by its ``pin`` how it is named, if it is; ObjectNotFound if nothing is there.

        Nobody vouches for what was only looked at.
        """

    def describe(self, key: ObjectKey) -> ObjectInfo | None:  # noqa: ARG002  the port's signature
        """Return what travelled with the bytes (:meth:`put`); None where that cannot be told. ObjectNotFound as head.

        A rebuilt catalog learns from it what it lost; the bytes are read before anything here is believed.
        """
        return None

    @abstractmethod
    def open(
        self, key: ObjectKey, *, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream the bytes from ``offset``; chunks of at most 1 MiB. ObjectNotFound is raised on entering.

        A store whose answer names its bytes gives them as :class:`Pieces`, with their pin.
        """

    @abstractmethod
    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        """Delete up to :attr:`delete_batch` keys; one result each, in their order. Never raises for a single key."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Every object below ``prefix``, all pages, sidecars and the mark left out. ``sha256`` may be None here."""

    def lock(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:  # noqa: ARG002  the port's signature
        """Put a WORM lock on exactly this version until ``until``; return the time the store says it holds.

        Raises LockUnsupported where :attr:`can_lock` is false.
        """
        raise LockUnsupported(tier=self.config.tier)

    def extend(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        """Lengthen a lock; a shorter ``until`` than the store holds leaves it as it is and returns what holds."""
        return self.lock(key, until=until, mode=mode)

    def remember(self, memory: Memory) -> None:  # noqa: B027  most stores know their servers
        """Take the memory of what servers of its kind do that not all of them do. Nothing is asked yet."""

    def close(self) -> None:  # noqa: B027  most stores have nothing to give back
        """Give back connections and threads."""
