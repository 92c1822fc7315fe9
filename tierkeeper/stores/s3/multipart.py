"""Large objects in parts: uploaded or copied in parallel, visible only when all parts are present and right.

A tier's memory is bounded by ``concurrency`` parts of ``multipart_chunk`` bytes, over all its objects.
"""

import base64
import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from tierkeeper.stores import progress
from tierkeeper.stores.base import ObjectInfo, Stored
from tierkeeper.stores.content import pieces_of, require_announced
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.s3 import delete, heads, once
from tierkeeper.stores.s3.clients import MIB, MOST_PARTS
from tierkeeper.stores.s3.origin import Origin
from tierkeeper.stores.s3.place import Place
from tierkeeper_client.digest import Digest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CompleteMultipartUploadOutputTypeDef

COPIED_PART = 256 * MIB  # bytes; small enough to wait for the server's copy


@dataclass(frozen=True, slots=True)
class Finished:
    """S3's answer to the completion, and the expected checksum: base64 of the SHA-256 over those of the parts.

    Where the answer was lost, ``answer`` is the object found by a HEAD. ``sure``: no answer about a part was lost.
    """

    answer: "CompleteMultipartUploadOutputTypeDef | Stored"
    checksum: str
    sure: bool

    def confirmed_by(self, answer: Mapping[str, Any]) -> bool:
        """Return True if the answer has that checksum (some servers omit the number of parts behind its dash)."""
        found: str = answer.get("ChecksumSHA256", "")
        return found.partition("-")[0] == self.checksum


def encoded_sha256(piece: bytes) -> str:
    """Return the SHA-256 of ``piece`` as S3 writes it, in base64."""
    return base64.b64encode(hashlib.sha256(piece).digest()).decode()


class Multipart:
    """The multipart uploads of one tier."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._slots = threading.BoundedSemaphore(place.options.concurrency)
        self._threads = ThreadPoolExecutor(place.options.concurrency, thread_name_prefix=f"{place.tier}-parts")

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.shutdown()

    def upload(self, location: str, content: BinaryIO, info: ObjectInfo, about: dict[str, Any]) -> Finished:
        """Send ``content`` in parts; ContentMismatch before the completion if it is not the announced content."""
        chunk = max(self._place.options.multipart_chunk, -(-info.size // MOST_PARTS))
        digest = Digest()

        def jobs(upload: dict[str, Any]) -> Iterator[Callable[[], "CompletedPartTypeDef"]]:
            for number, piece in enumerate(pieces_of(content, info.size, chunk=chunk), start=1):
                digest.add(piece)
                yield lambda number=number, piece=piece: self._send(upload, number, piece)  # type: ignore[misc]  # early binding
            require_announced(info, size=digest.size, sha256=digest.sha256, tier=self._place.tier, location=location)

        return self._run(location, info.size, about, jobs)

    def copy(self, source: Origin, size: int, location: str, about: dict[str, Any]) -> Finished:
        """Copy ``size`` bytes of ``source`` by the server, in parts; ContentMismatch as of :meth:`Origin.exactly`."""
        recovered: list[int] = []  # the numbers of parts whose answers were lost, found by a listing
        report = progress.listener()
        chunk = max(min(COPIED_PART, self._place.options.copy_threshold), -(-size // MOST_PARTS))

        def jobs(upload: dict[str, Any]) -> Iterator[Callable[[], "CompletedPartTypeDef"]]:
            for number, start in enumerate(range(0, size, chunk), start=1):
                part = _Part(number, start, min(chunk, size - start))
                yield lambda part=part: self._copy_part(upload, part, source, recovered, report)  # type: ignore[misc]  # early binding

        finished = self._run(location, size, about, jobs)
        return replace(finished, sure=not recovered)

    def _run(
        self,
        location: str,
        size: int,
        about: dict[str, Any],
        jobs: Callable[[dict[str, Any]], Iterator[Callable[[], "CompletedPartTypeDef"]]],
    ) -> Finished:
        """Begin an upload, run its jobs in parallel, complete it; on any failure abort it."""
        client, address = self._place.client, self._place.address(location, None)
        with self._place.translating(location):
            begun = client.create_multipart_upload(**address, **about, ChecksumAlgorithm="SHA256")
        with self._place.understanding(location):
            upload = {**address, "UploadId": begun["UploadId"]}
        if begun["ResponseMetadata"]["RetryAttempts"]:  # an attempt whose answer was lost may have begun one too
            with contextlib.suppress(StoreError):
                delete.abort_uploads(self._place, {address["Key"]}, but=begun["UploadId"])
        running: list[Future[CompletedPartTypeDef]] = []
        try:
            with self._place.translating(location):
                self._submit(jobs(upload), running)
                parts = [each.result() for each in running]
                answer = self._complete(upload, parts, location, size)
        except BaseException:
            for each in running:
                each.cancel()
            for each in running:  # a part that arrives after the abort would stay forever
                with contextlib.suppress(BaseException):
                    each.result()
            with contextlib.suppress(StoreError), self._place.translating(location):
                client.abort_multipart_upload(**upload)
            raise
        with self._place.understanding(location):
            return Finished(answer, _composite(parts), sure=True)

    def _complete(
        self, upload: dict[str, Any], parts: list["CompletedPartTypeDef"], location: str, size: int
    ) -> "CompleteMultipartUploadOutputTypeDef | Stored":
        return once.once(
            self._place,
            location,
            min(size, COPIED_PART),
            lambda client: client.complete_multipart_upload(
                **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            ),
            lambda: heads.after_lost_answer(self._place, location, size),
        )

    def _submit(
        self, jobs: Iterator[Callable[[], "CompletedPartTypeDef"]], running: list[Future["CompletedPartTypeDef"]]
    ) -> None:
        """Start the jobs, one per free slot; stop after the first failure (its future has the error)."""
        failed = threading.Event()

        def done(future: Future["CompletedPartTypeDef"]) -> None:
            self._slots.release()
            if future.cancelled() or future.exception():
                failed.set()

        while not failed.is_set():
            self._slots.acquire()  # before the part is read: a slot bounds its memory
            try:
                future = self._threads.submit(next(jobs))
            except BaseException as error:
                self._slots.release()
                if isinstance(error, StopIteration):
                    return
                raise
            running.append(future)
            future.add_done_callback(done)

    def _send(self, upload: dict[str, Any], number: int, piece: bytes) -> "CompletedPartTypeDef":
        checksum = encoded_sha256(piece)
        answer = self._place.client.upload_part(
            **upload, PartNumber=number, Body=piece, ChecksumSHA256=checksum, ChecksumAlgorithm="SHA256"
        )
        with self._place.understanding(upload["Key"]):
            return {"PartNumber": number, "ETag": _strong(answer["ETag"]), "ChecksumSHA256": checksum}

    def _copy_part(
        self, upload: dict[str, Any], part: "_Part", source: Origin, recovered: list[int], report: Callable[[], None]
    ) -> "CompletedPartTypeDef":
        def call(client: "S3Client") -> "CompletedPartTypeDef":
            with source.exactly():
                answer = client.upload_part_copy(
                    **upload, PartNumber=part.number, **source.arguments, CopySourceRange=part.span
                )
            with self._place.understanding(upload["Key"]):
                return _completed(part.number, answer["CopyPartResult"])

        def look() -> "CompletedPartTypeDef | None":
            with self._place.translating(source.key.location):
                listed = self._place.client.list_parts(**upload, PartNumberMarker=part.number - 1, MaxParts=1)
            with self._place.understanding(upload["Key"]):
                for each in listed.get("Parts", []):
                    if (each["PartNumber"], each["Size"]) == (part.number, part.size):
                        recovered.append(part.number)
                        return _completed(part.number, each)
            return None

        completed = once.once(self._place, source.key.location, part.size, call, look)
        report()
        return completed


@dataclass(frozen=True, slots=True)
class _Part:
    """A part to be copied: its number, and its first byte and size in the source."""

    number: int
    start: int
    size: int

    @property
    def span(self) -> str:
        """The byte range, in S3's syntax."""
        return f"bytes={self.start}-{self.start + self.size - 1}"


def _completed(number: int, said: Mapping[str, Any]) -> "CompletedPartTypeDef":
    part: CompletedPartTypeDef = {"PartNumber": number, "ETag": _strong(said["ETag"])}
    if "ChecksumSHA256" in said:  # not every server computes the checksum of a copied part
        part["ChecksumSHA256"] = said["ChecksumSHA256"]
    return part


def _strong(etag: str) -> str:
    """Return a part's ETag without the ``W/`` that a proxy may have added: only the server compares it."""
    return etag.removeprefix("W/")


def _composite(parts: list["CompletedPartTypeDef"]) -> str:
    """Return the checksum of the checksums; empty where a part has none."""
    checksums = [part.get("ChecksumSHA256", "") for part in parts]
    if not all(checksums):
        return ""
    return encoded_sha256(b"".join(base64.b64decode(each) for each in checksums))
