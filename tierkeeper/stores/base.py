"""The port: what the engine requires of a place that stores bytes.

An adapter is a package beside this module, or a third party's, with an entry point in the group ``tierkeeper.stores``
(``scheme = module:callable``; the callable takes a :class:`StoreConfig`). Every adapter passes
``tests/integration/stores/contract.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO, ClassVar, Protocol, Self
from uuid import UUID

from tierkeeper.base.content import Content
from tierkeeper.base.states import RetentionMode, Vouched
from tierkeeper.stores import gate
from tierkeeper.stores.errors import LockUnsupported, StorePermanent
from tierkeeper.stores.tier_mark import Guard, TierMark


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The configuration of one store: ``url`` without its query, and the query's options merged with the tier's."""

    tier: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    io_threads: int = 16  # concurrent calls of the engine; size pools for it
    others_write: bool = False  # producers write into it: a file with a second name may be another's


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """The description stored with the bytes, so that a store can be read without the catalog."""

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
        """The SHA-256 and size of the content."""
        return Content(self.sha256, self.size)


@dataclass(frozen=True, slots=True)
class ModesLook:
    """What a look at the modes of a tier's files did: how many were ``changed``; ``left``: some are to be looked at.

    ``at`` is what the store reads at its next look, as JSON has it; None for a store without modes.
    """

    changed: int = 0
    left: bool = False
    at: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store reports of one object: its size in bytes as stored, its version id and the SHA-256 it vouches for.

    ``sha256`` is None where the store does not report one (it is never guessed from the request). ``vouched`` is None
    where the bytes are not vouched for; of a :meth:`Store.copy`, PINNED says that they are exactly those that the key
    named, and so are as good as their source. ``pin`` names these bytes and no others: the version id, else the ETag,
    taken from the answer of the very call that vouches; None where that answer was lost or has neither (R16).
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
    """The key of an object. For a delete on a versioned store, ``version`` None means every version and open upload.

    ``pin``: only these bytes (:class:`Stored`); where the store can tell that others are there, they are neither read
    nor copied, and the call raises ContentMismatch. A delete ignores it.
    """

    location: str
    version: str | None = None
    pin: str | None = None


class DeleteState(StrEnum):
    """The outcome of one key of a bulk delete; an object that is gone already counts as deleted."""

    DELETED = "deleted"
    FAILED = "failed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """The outcome of one key; where it failed, the error's ``code`` and the store's words in ``detail``."""

    key: ObjectKey
    state: DeleteState
    detail: str = ""
    code: str = ""


class Pieces(Iterator[bytes]):
    """The pieces of an object, and the pin in the very answer that carries them; None where it has none (R16)."""

    def __init__(self, pieces: Iterator[bytes], pin: str | None) -> None:
        self._pieces, self.pin = pieces, pin

    def __next__(self) -> bytes:
        return next(self._pieces)


def pin_of(pieces: Iterator[bytes]) -> str | None:
    """Return the pin of an opened object; None where its store reports none."""
    pin: str | None = getattr(pieces, "pin", None)
    return pin


class Memory(Protocol):
    """Keeps the probed abilities of a tier's server beyond one process."""

    def recall(self, server: str) -> Mapping[str, bool]:
        """Return the known abilities of ``server``, by name; empty where none is known."""

    def keep(self, server: str, seen: Mapping[str, bool]) -> None:
        """Store, by name, which abilities ``server`` was seen to have or to lack; others that are known stay."""


@dataclass(frozen=True, slots=True)
class Put:
    """An object to be written: ``content`` from its current position, as many bytes as ``info`` says."""

    location: str
    content: BinaryIO
    info: ObjectInfo


class Store(ABC):
    """A place that stores objects. Safe to use from many threads; created after a fork.

    Errors are those of ``tierkeeper.stores.errors``: the gate (:mod:`tierkeeper.stores.gate`) makes a StoreDefect of
    anything else that a method of the port raises, in whatever class.
    """

    #: longest list that :meth:`delete` sends in one call
    delete_batch: ClassVar[int] = 1000

    #: called by a :attr:`bound` store within each of its calls; None: the place is used whatever its mark
    guard: Guard | None = None

    def __init_subclass__(cls, **named: Any) -> None:  # noqa: ANN401  of other bases
        super().__init_subclass__(**named)
        gate.build(cls)

    def __init__(self, config: StoreConfig) -> None:
        self.config = config

    @property
    @abstractmethod
    def realm(self) -> str:
        """The realm: stores with equal realms can copy between each other on the server's side (:meth:`copy`)."""

    @property
    def site(self) -> str:
        """The place for messages, such as ``folder /srv/hot``; without secrets."""
        return f"the place of tier {self.config.tier}"

    @property
    def bound(self) -> bool:
        """Whether each call reads the mark where it does its work (one opened root, one session) and calls the guard.

        Where False, each call goes where the name leads at that moment, and the engine reads the mark before and after.
        """
        return False

    @property
    def can_lock(self) -> bool:
        """Whether :meth:`lock` is supported (S3 Object Lock)."""
        return False

    @property
    def readable_layout(self) -> bool:
        """Whether locations carry the artifact's name (such a copy must not outlive its artifact)."""
        return False

    @property
    def storage_class(self) -> str | None:
        """The S3 storage class that new objects get; None where the store has no classes."""
        return None

    @property
    def must_thaw(self) -> bool:
        """Whether objects cannot be read before they are thawed: then they must be verified as they are written."""
        return False

    @property
    def is_database(self) -> bool:
        """Whether this is a database store (``clean_hot`` works on these)."""
        return False

    @abstractmethod
    def prepare(self) -> list[str]:
        """Create what is missing (folder, bucket, table), idempotently; return what was created, in words."""

    @abstractmethod
    def check(self) -> None:
        """Raise a StoreError if the place cannot be used now. Changes nothing."""

    def check_writes(self) -> None:  # noqa: B027  not every store can tell without leaving something behind
        """Raise a StoreError if the place takes no writes now: it is full, read-only, or denies them.

        What is written for that is small, lies below ``.tierkeeper/`` or among unfinished files, and goes at once.
        """

    @abstractmethod
    def mark(self) -> TierMark | None:
        """Return the mark in the place, None where it has none; the guard is not called.

        Raises TierNotOurs where the place is missing, MarkUnreadable where the mark's object is no mark, and
        MarkNotRead where none of these is known.
        """

    @abstractmethod
    def write_mark(self, mark: TierMark) -> TierMark:
        """Write the mark where there is none; return the mark read back, which may be a concurrent writer's."""

    @abstractmethod
    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        """Replace exactly the mark ``over``; return the mark read back. StorePermanent where another one is there.

        ``over`` None: replace an object that :meth:`mark` reports as unreadable.
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

    @property
    def puts_together(self) -> int:
        """The least number of small objects that :meth:`put_many` writes in less time than :meth:`put`; 0: none is."""
        return 0

    def put_many(self, puts: Sequence[Put]) -> list[Stored | Exception]:
        """Write objects, each as :meth:`put` does; return what that returns or raises for each, in their order.

        Raises what stops all of them.
        """
        return [self._put_one(put) for put in puts]

    def _put_one(self, put: Put) -> Stored | Exception:
        try:
            return self.put(put.location, put.content, put.info)
        except Exception as error:  # noqa: BLE001  one stops no other
            return error

    def copy(
        self,
        source: "Store",
        key: ObjectKey,  # noqa: ARG002  for the stores that can
        location: str,  # noqa: ARG002  as above
        info: ObjectInfo,  # noqa: ARG002  as above
    ) -> Stored:
        """Copy from a store of the same realm without the bytes passing through this process; verified as :meth:`put`.

        Raises StorePermanent where the store cannot; a store whose realm no other shares need not support it.
        """
        reason = f"it cannot copy from tier {source.config.tier} by itself"
        raise StorePermanent(tier=self.config.tier, reason=reason)

    @abstractmethod
    def head(self, key: ObjectKey) -> Stored:
        """Return what is stored under the key, with its ``pin`` if it has one; ObjectNotFound if nothing is.

        The bytes are not vouched for: they were not read.
        """

    def describe(self, key: ObjectKey) -> ObjectInfo | None:  # noqa: ARG002  the port's signature
        """Return the description stored by :meth:`put`; None where none can be read. ObjectNotFound as :meth:`head`.

        A rebuild recovers lost artifacts from it, and reads the bytes before it relies on the description.
        """
        return None

    @abstractmethod
    def open(
        self, key: ObjectKey, *, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream the bytes from ``offset``, in chunks of at most 1 MiB. ObjectNotFound is raised on entering.

        A store whose answer names its bytes yields :class:`Pieces`, with their pin.
        """

    @abstractmethod
    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        """Delete up to :attr:`delete_batch` keys; one result each, in their order. Never raises for a single key."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield every object below ``prefix``, without sidecars and the mark. ``sha256`` may be None."""

    def lock(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:  # noqa: ARG002  the port's signature
        """Put a WORM lock on exactly this version until ``until``; return the time that the store reports.

        Raises LockUnsupported where :attr:`can_lock` is false.
        """
        raise LockUnsupported(tier=self.config.tier)

    def extend(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        """Lengthen a lock; an earlier ``until`` than the store's leaves it unchanged. Return the time that holds."""
        return self.lock(key, until=until, mode=mode)

    def remember(self, memory: Memory) -> None:  # noqa: B027  most stores need not probe their servers
        """Use ``memory`` for the abilities that not all servers of this kind have. Nothing is probed yet."""

    @classmethod
    def from_url(cls, config: StoreConfig) -> Self:
        """Make the store of a tier's URL and options, not connected yet; raises BadTierUrl."""
        return cls(config)

    @classmethod
    def check_url(cls, config: StoreConfig) -> None:
        """Raise BadTierUrl for a URL or options that cannot be used; asks no server."""
        cls.from_url(config).close()

    def tighten_modes(self, at: Mapping[str, Any] | None, *, seconds: float) -> ModesLook:  # noqa: ARG002  of stores with modes
        """Take from files what they allow beyond new ones, for so long at most; ``at``: of the look before, if any."""
        return ModesLook()

    def close(self) -> None:  # noqa: B027  most stores have nothing to release
        """Release connections and threads."""
