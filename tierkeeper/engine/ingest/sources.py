"""Content to store, as bytes that can be read twice, with their SHA-256: inline, staged, by URL, or given as a file.

The first pass computes the hash; the second is the write into the stores. A source that can be read twice (a file, an
object) is read twice and not spooled; a small object is kept in memory. Any other source is hashed while it is spooled,
and the second pass reads the spool. A file is read as long as it was when it was opened: of a log that is appended to,
its beginning is stored. One that changed otherwise between the passes is SourceChanged, and no tier's fault.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

from tierkeeper.base.content import StoredForm
from tierkeeper.base.errors import (
    ContentDiffers,
    InvalidInput,
    OversizedContent,
    SourceChanged,
    SourceRefused,
    StagedContentMissing,
    TierkeeperError,
)
from tierkeeper.base.secrets import masked_url
from tierkeeper.base.states import Temperature
from tierkeeper.engine.copies import opener
from tierkeeper.engine.copies.streams import Noted, Reopened
from tierkeeper.settings.settings import Settings, TierSettings
from tierkeeper.stores import factory
from tierkeeper.stores.base import Pieces, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound
from tierkeeper.values.artifacts import ContentOpening, Ref
from tierkeeper_client import files
from tierkeeper_client.contract import InlineContent, SourceContent, StagedContent, StoreArgs
from tierkeeper_client.digest import CHUNK, Digest, digest_of

_KEPT: Final = 256 * 1024  # bytes of an item of a batch that are read into memory at once, and its file closed
_FIRST: Final = 16 * 1024  # bytes that are read of it at first


@dataclass(frozen=True, slots=True)
class Body:
    """Readable content: ``file`` is seekable, the content begins at ``start``.

    ``source``: where it comes from, in words; ``staged``: the upload it came from.
    """

    file: BinaryIO
    start: int
    sha256: bytes
    size: int
    source: str
    staged: UUID | None = None

    def changed(self, progressed: Callable[[], None]) -> SourceChanged | None:
        """Read content again that a store found to be other bytes; return the error if it is, None if it is right.

        ``progressed`` is called before each read.
        """
        self.file.seek(self.start)
        try:
            found = digest_of(cast("BinaryIO", Noted(self.file, progressed)))
        except ContentMismatch as error:  # another object is in its place, so its tier was not read
            return SourceChanged(source=self.source, how=error.data["reason"])
        except TierkeeperError:
            return None
        if (found.size, found.sha256) == (self.size, self.sha256):
            return None
        how = f"there were {self.size} bytes, and {found.size} later" if found.size != self.size else "it was rewritten"
        return SourceChanged(source=self.source, how=how)


@contextmanager
def opened(settings: Settings, args: StoreArgs, given: BinaryIO | None) -> Iterator[Body]:
    """Open the content that ``args`` names, or ``given``; its first pass is done, so its hash and size are known.

    Raises OversizedContent, SourceRefused, StagedContentMissing, ContentDiffers; InvalidInput, in the block too, where
    the system cannot read a file.
    """
    ref = Ref(args.tenant, args.workflow, args.name)
    with ExitStack() as stack:
        staged, name = None, f"the content of {ref}"
        if given is not None:
            source, name = _Source(given, ref), str(getattr(given, "name", None) or name)
            read = _twice(source) if source.seekable() else stack.enter_context(_spooled(settings, source))
        elif isinstance(args.content, InlineContent):
            read = _twice(_Source(_inline(settings, args.content), ref))
        elif isinstance(args.content, StagedContent):
            staged, name = UUID(args.content.name), f"staged content {args.content.name}"
            read = stack.enter_context(_staged(settings, args.content))
        else:
            name = args.content.url
            read = stack.enter_context(_source(settings, args.content, ref))
        sha256 = read.digest.sha256
        if args.sha256 is not None and args.sha256 != sha256.hex():
            raise ContentDiffers(ref=ref, actual=sha256.hex(), expected=args.sha256)
        yield Body(read.file, read.start, sha256, read.digest.size, name, staged)


@contextmanager
def given(args: StoreArgs, opening: ContentOpening) -> Iterator[BinaryIO]:
    """Open content of a batch that was given beside ``args``; small content is held in memory, and its file closed.

    An OSError becomes the item's InvalidInput, here as in :func:`opened`.
    """
    ref = Ref(args.tenant, args.workflow, args.name)
    with _readable(ref):
        file = opening()
    with file:
        if not file.seekable():
            yield file
            return
        with _readable(ref):
            head = small(file)
        if head is None:
            file.seek(0)
            yield file
            return
    yield io.BytesIO(head)


def small(file: BinaryIO) -> bytes | None:
    """Return the content of a file from where it stands, None if that is not small."""
    head = file.read(_FIRST)  # room for the whole is not made for each of many tiny files
    if len(head) == _FIRST:
        head += file.read(_KEPT + 1 - _FIRST)
    return head if len(head) <= _KEPT else None


class _Source(Noted):
    """A file whose errors are those of the item that is read from it, and of no store that it is written to.

    ``end``: a position beyond which nothing is read; None: where the file ends.
    """

    def __init__(self, file: BinaryIO, ref: Ref) -> None:
        super().__init__(file, lambda: None)
        self._ref = ref
        self.end: int | None = None

    def read(self, size: int = -1) -> bytes:
        """Read; raises InvalidInput."""
        with _readable(self._ref):
            if self.end is not None:
                left = max(0, self.end - self.tell())
                size = left if size < 0 else min(size, left)
            return super().read(size)


@contextmanager
def _readable(ref: Ref) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"it cannot be read: {error.strerror or error}"
        fix = "Check its permissions, and that it is a plain file."
        raise InvalidInput(field="content", value=str(ref), problem=problem, fix=fix) from error


@dataclass(frozen=True, slots=True)
class _ReadOnce:
    """A file that was read once from ``start`` on and is positioned there again; and the digest of that read."""

    file: BinaryIO
    start: int
    digest: Digest


def _twice(source: _Source) -> _ReadOnce:
    """Read a file to where it ends now: what is appended meanwhile, faster than it is read even, is in neither pass."""
    start = source.tell()
    with suppress(OSError):  # of files that the system makes up as they are read, and that say they are empty
        end = source.seek(0, io.SEEK_END)
        source.end = end if end > start else None
    source.seek(start)
    file = cast("BinaryIO", source)
    digest = digest_of(file)
    source.end = start + digest.size
    source.seek(start)
    return _ReadOnce(file, start, digest)


def _inline(settings: Settings, content: InlineContent) -> BinaryIO:
    data = content.content()
    limit = settings.engine.inline_limit
    if len(data) > limit:
        raise OversizedContent(size=len(data), limit=limit)
    return io.BytesIO(data)


@contextmanager
def _spooled(settings: Settings, stream: _Source) -> Iterator[_ReadOnce]:
    digest = Digest()
    with ExitStack() as stack:
        with _folder_named(), ExitStack() as filling:
            spool = filling.enter_context(
                tempfile.SpooledTemporaryFile(max_size=settings.engine.spool_limit, prefix="tierkeeper-")
            )
            while chunk := stream.read(CHUNK):
                digest.add(chunk)
                spool.write(chunk)
            spool.seek(0)  # writes what is buffered
            stack.push(filling.pop_all())
        yield _ReadOnce(cast("BinaryIO", spool), 0, digest)


@contextmanager
def _folder_named() -> Iterator[None]:
    """Name the folder of temporary files in an OSError, which an unnamed file cannot."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error


@contextmanager
def _object(settings: Settings, store: Store, location: str, missing: TierkeeperError) -> Iterator[_ReadOnce]:
    """Read an object; give it as a file reopened by the pin of that read, a small one from memory. Closes ``store``."""
    digest, kept = Digest(), io.BytesIO()

    @contextmanager
    def reopened(form: StoredForm, offset: int = 0) -> Iterator[Pieces]:
        try:
            with opener.content(store, form, offset=offset) as pieces:
                yield pieces
        except ObjectNotFound as error:
            raise missing from error

    try:
        with reopened(StoredForm(location)) as pieces:
            for piece in pieces:
                digest.add(piece)
                if digest.size <= settings.engine.spool_limit:
                    kept.write(piece)
            again = StoredForm(location, pin=pieces.pin)
        if digest.size <= settings.engine.spool_limit:
            kept.seek(0)
            yield _ReadOnce(kept, 0, digest)
            return
        kept.close()
        with Reopened(partial(reopened, again), digest.size) as file:
            yield _ReadOnce(cast("BinaryIO", file), 0, digest)
    finally:
        store.close()


@contextmanager
def _staged(settings: Settings, content: StagedContent) -> Iterator[_ReadOnce]:
    missing = StagedContentMissing(name=content.name, place=masked_url(settings.staging.url))
    with _object(settings, staging_store(settings), content.name, missing) as read:
        yield read


def staging_store(settings: Settings) -> Store:
    """Return a new store for the place that clients write uploads to; the caller closes it."""
    tier = TierSettings(url=settings.staging.url, temperature=Temperature.HOT)
    threads = settings.engine.io_threads
    return factory.make("staging", tier, io_threads=threads, catalog_url=None, others_write=True)


def prepare_staging(settings: Settings) -> list[str]:
    """Create the place that clients write uploads to, if it is missing; return what was created, in words."""
    store = staging_store(settings)
    try:
        return store.prepare()
    finally:
        store.close()


@contextmanager
def _source(settings: Settings, content: SourceContent, ref: Ref) -> Iterator[_ReadOnce]:
    parts = urlsplit(content.url)
    if parts.scheme == "file":
        with _allowed_file(settings, content.url, unquote(parts.path)) as file:
            yield _twice(_Source(file, ref))
    elif parts.scheme == "s3":
        with _allowed_object(settings, content.url) as read:
            yield read
    else:
        raise SourceRefused(
            url=content.url,
            problem=f"its scheme is {parts.scheme or 'missing'}",
            fix="Use file: below an allowed root or s3: in an allowed bucket.",
        )


def _allowed_file(settings: Settings, url: str, path: str) -> BinaryIO:
    """Open the file beneath the first allowed root that has it; what was opened beneath the root is read, and no path.

    The words are the same for missing and forbidden files: the caller must not learn what exists on this machine.
    """
    for root in settings.sources.allowed_roots:
        for spelling in (root, Path(os.path.realpath(root))):
            if Path(path).is_relative_to(spelling):
                with suppress(OSError, ValueError):
                    return files.reading_beneath(root, Path(path).relative_to(spelling).parts)
    roots = ", ".join(map(str, settings.sources.allowed_roots)) or "none"
    raise SourceRefused(
        url=url,
        problem="it is no plain file with one name below an allowed root",
        fix=f"Allowed roots are: {roots} (TIERKEEPER_SOURCES__ALLOWED_ROOTS); links below them are not followed.",
    )


@contextmanager
def _allowed_object(settings: Settings, url: str) -> Iterator[_ReadOnce]:
    parts = urlsplit(url)
    if parts.netloc not in settings.sources.allowed_buckets or parts.query or not parts.path.strip("/"):
        buckets = ", ".join(settings.sources.allowed_buckets) or "none"
        raise SourceRefused(
            url=url,
            problem="it is no object of an allowed bucket",
            fix=f"Allowed buckets are: {buckets} (TIERKEEPER_SOURCES__ALLOWED_BUCKETS).",
        )
    tier = TierSettings(url=f"s3://{parts.netloc}", temperature=Temperature.HOT)
    store = factory.make("source", tier, io_threads=settings.engine.io_threads, catalog_url=None)
    missing = SourceRefused(url=url, problem="nothing is there", fix="Check the key.")
    with _object(settings, store, unquote(parts.path).lstrip("/"), missing) as read:
        yield read
