"""What is to be stored, as bytes that can be read twice, with their SHA-256: inline, staged, by URL, or given."""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from uuid import UUID

from tierkeeper.base.errors import (
    ContentDiffers,
    OversizedContent,
    SourceRefused,
    StagedContentMissing,
)
from tierkeeper.base.settings import Settings, TierSettings
from tierkeeper.base.states import Temperature
from tierkeeper.base.values import Ref
from tierkeeper.engine.context import Engine
from tierkeeper.engine.streams import Chunks
from tierkeeper.stores import factory
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import ObjectNotFound
from tierkeeper_client.contract import InlineContent, SourceContent, StagedContent, StoreArgs

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes at hand: ``file`` is seekable, from ``start`` on; ``staged`` names the upload they came from."""

    file: BinaryIO
    start: int
    sha256: bytes
    size: int
    staged: UUID | None = None


@contextmanager
def opened(engine: Engine, args: StoreArgs, given: BinaryIO | None) -> Iterator[Content]:
    """Open what ``args`` names, or ``given``; the first pass over it is done, and its hash known.

    Raises OversizedContent, SourceRefused, StagedContentMissing, ContentDiffers.
    """
    with ExitStack() as stack:
        staged = None
        if given is not None:
            file = given if given.seekable() else stack.enter_context(_spooled(engine.settings, given))
        elif isinstance(args.content, InlineContent):
            file = _inline(engine.settings, args.content)
        elif isinstance(args.content, StagedContent):
            staged = UUID(args.content.name)
            file = stack.enter_context(_staged(engine, args.content))
        else:
            file = stack.enter_context(_source(engine.settings, args.content))
        start = file.tell()
        sha256, size = _hashed(file)
        if args.sha256 is not None and args.sha256 != sha256.hex():
            ref = Ref(args.tenant, args.workflow, args.name)
            raise ContentDiffers(ref=ref, actual=sha256.hex(), expected=args.sha256)
        yield Content(file, start, sha256, size, staged)


def _hashed(file: BinaryIO) -> tuple[bytes, int]:
    start = file.tell()
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    file.seek(start)
    return digest.digest(), size


def _inline(settings: Settings, content: InlineContent) -> BinaryIO:
    data = content.content()
    limit = settings.engine.inline_limit
    if len(data) > limit:
        raise OversizedContent(size=len(data), limit=limit)
    return io.BytesIO(data)


@contextmanager
def _spooled(settings: Settings, stream: io.RawIOBase | BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=settings.engine.spool_limit, prefix="tierkeeper-") as spool:
        while chunk := stream.read(_CHUNK):
            spool.write(chunk)
        spool.seek(0)
        yield spool  # type: ignore[misc]  # it has all that a BinaryIO has, but for the declared type


@contextmanager
def _staged(engine: Engine, content: StagedContent) -> Iterator[BinaryIO]:
    store = staging_store(engine.settings)
    try:
        with store.open(ObjectKey(content.name)) as chunks, _spooled(engine.settings, Chunks(chunks)) as file:
            yield file
    except ObjectNotFound as error:
        raise StagedContentMissing(name=content.name) from error
    finally:
        store.close()


def staging_store(settings: Settings) -> Store:
    """Return the store that clients write uploads to."""
    tier = TierSettings(url=settings.staging.url, temperature=Temperature.HOT)
    return factory.make("staging", tier, io_threads=settings.engine.io_threads, catalog_url=None)


def prepare_staging(settings: Settings) -> list[str]:
    """Make the place that clients write uploads to, if it is missing; return what was made, in words."""
    store = staging_store(settings)
    try:
        return store.prepare()
    finally:
        store.close()


@contextmanager
def _source(settings: Settings, content: SourceContent) -> Iterator[BinaryIO]:
    parts = urlsplit(content.url)
    if parts.scheme == "file":
        with _allowed_file(settings, content.url, unquote(parts.path)).open("rb") as file:
            yield file
    elif parts.scheme == "s3":
        with _allowed_object(settings, content.url) as file:
            yield file
    else:
        raise SourceRefused(
            url=content.url,
            problem=f"its scheme is {parts.scheme or 'missing'}",
            fix="Use file: below an allowed root or s3: in an allowed bucket.",
        )


def _allowed_file(settings: Settings, url: str, path: str) -> Path:
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, ValueError) as error:
        # the same words whether it is missing or forbidden: nobody learns what else is on this machine
        raise _refused(settings, url) from error
    roots = [root.resolve() for root in settings.sources.allowed_roots]
    if not real.is_file() or not any(real.is_relative_to(root) for root in roots):
        raise _refused(settings, url)
    return real


def _refused(settings: Settings, url: str) -> SourceRefused:
    roots = ", ".join(map(str, settings.sources.allowed_roots)) or "none"
    return SourceRefused(
        url=url,
        problem="it is no file below an allowed root",
        fix=f"Allowed roots are: {roots} (TIERKEEPER_SOURCES__ALLOWED_ROOTS).",
    )


@contextmanager
def _allowed_object(settings: Settings, url: str) -> Iterator[BinaryIO]:
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
    try:
        key = ObjectKey(unquote(parts.path).lstrip("/"))
        with store.open(key) as chunks, _spooled(settings, Chunks(chunks)) as file:
            yield file
    except ObjectNotFound as error:
        raise SourceRefused(url=url, problem="nothing is there", fix="Check the key.") from error
    finally:
        store.close()
