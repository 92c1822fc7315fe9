"""The typed way to enqueue work: every method sends one message and returns a :class:`Handle`.

A message carries names and small content only; larger content is staged first. Sending needs the broker alone;
results are read from the result store only through a handle.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from uuid import uuid4

from celery import Celery
from kombu.exceptions import KombuError

from tierkeeper_client import contract, files, service_urls
from tierkeeper_client.contract import TaskName
from tierkeeper_client.errors import BrokerUnavailable, InvalidInput, NoStaging
from tierkeeper_client.handle import Handle, cause_of
from tierkeeper_client.identifiers import MAX_HEADER, check_text
from tierkeeper_client.limits import DEFAULT, INLINE_LIMIT, Bounds
from tierkeeper_client.mac import KeyRing
from tierkeeper_client.settings import QueueType, shared_settings
from tierkeeper_client.signing import sign_messages
from tierkeeper_client.staging import Staging, Upload, open_staging
from tierkeeper_client.urls import UnusableUrl

__all__ = ["Handle", "TierkeeperClient"]

PRODUCER_TIMEOUT = 2  # seconds; a producer is to fail fast rather than wait


class TierkeeperClient:
    """Enqueues work for tierkeeper. Safe to share between threads; make one after a fork.

    ``result_url`` None: fire and forget, no result is kept. ``staging_url``: the workers' staging area, for content
    over ``inline_limit`` bytes (``file:///shared/folder``, or ``s3://bucket/prefix?endpoint=…`` with the extra
    ``tierkeeper-client[s3]``). ``keys`` (``ID:BASE64,…``, the workers' ``messages.keys``): messages are signed with the
    first of them. ``limits``: the workers' ``limits.*``. Every method raises InvalidInput before anything is sent,
    BrokerUnavailable within seconds if the broker does not answer, and StagingUnavailable.
    """

    def __init__(
        self,
        broker_url: str,
        result_url: str | None = None,
        staging_url: str | None = None,
        *,
        inline_limit: int = INLINE_LIMIT,
        actor: str | None = None,
        keys: str | None = None,
        queue_type: QueueType | None = None,
        limits: Bounds = DEFAULT,
    ) -> None:
        _check_service("broker_url", broker_url, schemes=service_urls.BROKERS)
        _check_service("result_url", result_url, schemes=service_urls.RESULTS)
        ring = None if keys is None else KeyRing.parse(keys)
        self._sender = Celery("tierkeeper_client", set_as_current=False, fixups=[])
        # No backend for the sender: sending must not wait for the result store. The worker has its own URL of it.
        self._sender.conf.update(
            shared_settings(
                broker_url,
                socket_timeout=PRODUCER_TIMEOUT,
                connect_timeout=PRODUCER_TIMEOUT,
                queue_type=queue_type,
            )
        )
        try:
            connection = self._sender.connection_for_write()  # not opened, only queried for the errors that it raises
            broker_errors = (*connection.connection_errors, *connection.channel_errors)
        except (KeyError, ModuleNotFoundError) as error:
            raise InvalidInput(
                field="broker_url",
                value=broker_url.split("://", 1)[0],
                problem="nothing here speaks to such a broker",
                fix="Begin it with redis://, rediss://, redis+socket:// or amqp://.",
            ) from error
        except (TypeError, ValueError) as error:
            raise _unread("broker_url", broker_url) from error
        sign_messages(self._sender, ring)
        self._broker_errors: tuple[type[BaseException], ...] = (KombuError, OSError, *broker_errors)
        self._results: Celery | None = None
        if result_url is not None:
            self._results = Celery("tierkeeper_results", set_as_current=False, fixups=[])
            self._results.conf.update(shared_settings(broker_url, result_url))
            try:
                _ = self._results.backend  # it reads its URL, and connects later
            except (TypeError, ValueError) as error:
                raise _unread("result_url", result_url) from error
        self._staging: Staging | None = None if staging_url is None else open_staging(staging_url)
        # without a result store no result can be read; with one, each task decides whether it keeps its result
        self._options: dict[str, Any] = {"ignore_result": True} if result_url is None else {}
        self._inline_limit = inline_limit
        self._actor = None if actor is None else _header(actor, field="actor")
        self._limits = limits

    def store(
        self,
        content: bytes | Path | BinaryIO | str,
        *,
        tenant: str,
        workflow: str,
        name: str,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        created: datetime | None = None,
        force: bool = False,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Store bytes, a file, a stream from its current position, or a source URL (``str``) as the next version.

        Content and metadata equal to the latest version's make no new version, unless ``force``. ``created`` (aware,
        in the past) sets the age. Content that the client reads is checked against its SHA-256 when it is stored.
        """
        described: dict[str, Any] = {
            "tenant": tenant,
            "workflow": workflow,
            "name": name,
            "content_type": content_type,
            "metadata": dict(metadata or {}),
            "tags": dict(tags or {}),
            "created": created,
            "force": force,
        }
        # Checked before anything is staged: a refused name leaves nothing behind.
        contract.validated(
            contract.StoreArgs, described | {"content": contract.InlineContent(data="")}, within=self._limits
        )
        sent, sha256 = self._take(content)
        arguments = contract.validated(
            contract.StoreArgs, described | {"content": sent, "sha256": sha256}, within=self._limits
        )
        return self.send(TaskName.STORE, arguments, key=key, correlation=correlation)

    def content(self, content: bytes | Path | BinaryIO | str) -> contract.MessageContent:
        """Return ``content`` for a :class:`contract.StoreArgs` of :meth:`store_many`: inline, staged or a source."""
        return self._take(content)[0]

    def store_many(
        self, items: Iterable[contract.StoreArgs], *, key: str | None = None, correlation: str | None = None
    ) -> Handle:
        """Store up to 1000 small artifacts with one message; ``results`` has one outcome each, in their order."""
        arguments = contract.validated(contract.StoreManyArgs, {"items": list(items)}, within=self._limits)
        return self.send(TaskName.STORE_MANY, arguments, key=key, correlation=correlation)

    def promote(
        self,
        ref: contract.ArtifactRef,
        *,
        to_tier: str,
        all_versions: bool = False,
        reason: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Move an artifact to ``to_tier``, in either direction, until the next phase of its policy begins."""
        fields = _fields(ref, all_versions=all_versions, reason=reason) | {"to_tier": to_tier}
        return self.send(
            TaskName.PROMOTE,
            contract.validated(contract.PromoteArgs, fields, within=self._limits),
            key=key,
            correlation=correlation,
        )

    def archive(
        self,
        ref: contract.ArtifactRef,
        *,
        all_versions: bool = False,
        reason: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Move an artifact to the coldest tier, for good."""
        fields = _fields(ref, all_versions=all_versions, reason=reason)
        return self.send(
            TaskName.ARCHIVE,
            contract.validated(contract.ArchiveArgs, fields, within=self._limits),
            key=key,
            correlation=correlation,
        )

    def restore(
        self,
        ref: contract.ArtifactRef,
        *,
        to_tier: str | None = None,
        days: float | None = None,
        all_versions: bool = False,
        reason: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Add a copy in ``to_tier`` (default: the hottest), for ``days`` or for good."""
        fields = _fields(ref, all_versions=all_versions, reason=reason) | {"to_tier": to_tier, "days": days}
        return self.send(
            TaskName.RESTORE,
            contract.validated(contract.RestoreArgs, fields, within=self._limits),
            key=key,
            correlation=correlation,
        )

    def purge(
        self,
        ref: contract.ArtifactRef,
        *,
        all_versions: bool = False,
        reason: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Delete an artifact; it can be undeleted while the undo window of its policy lasts."""
        fields = _fields(ref, all_versions=all_versions, reason=reason)
        return self.send(
            TaskName.PURGE,
            contract.validated(contract.PurgeArgs, fields, within=self._limits),
            key=key,
            correlation=correlation,
        )

    def undelete(
        self,
        ref: contract.ArtifactRef,
        *,
        all_versions: bool = False,
        reason: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Make a deleted artifact live again."""
        fields = _fields(ref, all_versions=all_versions, reason=reason)
        return self.send(
            TaskName.UNDELETE,
            contract.validated(contract.UndeleteArgs, fields, within=self._limits),
            key=key,
            correlation=correlation,
        )

    def send(
        self,
        task: TaskName,
        arguments: contract.Message | None = None,
        *,
        key: str | None = None,
        correlation: str | None = None,
    ) -> Handle:
        """Send any task of the contract; a sweep takes no arguments and keeps no result (see its run instead).

        ``key`` (default: a fresh one) becomes the task id: a second message with it returns the first one's result. A
        message that was refused may be sent again with its key: its handle waits for the answer to this message.
        ``correlation`` is written to the worker's log and the audit log (default: the task id).
        """
        task_id = key or str(uuid4())
        contract.check_key(task_id)
        kwargs = {} if arguments is None else arguments.model_dump(mode="json", exclude_none=True)
        if correlation is not None:
            _header(correlation, field="correlation")
        sending = str(uuid4())
        headers = {
            contract.CORRELATION_HEADER: correlation,
            contract.ACTOR_HEADER: self._actor,
            contract.SENDING_HEADER: sending,
        }
        try:
            self._sender.send_task(
                str(task),
                kwargs=kwargs,
                task_id=task_id,
                headers={name: value for name, value in headers.items() if value},
                **self._options,
                kwargsrepr=_shown(kwargs),
                confirm_timeout=PRODUCER_TIMEOUT,
            )
        except self._broker_errors as error:
            raise BrokerUnavailable(reason=cause_of(error)) from error
        return Handle(id=task_id, _results=self._results, _sending=sending)

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()
        if self._results is not None:
            self._results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, content: bytes | Path | BinaryIO | str) -> tuple[contract.MessageContent, str | None]:
        if isinstance(content, str):
            return contract.SourceContent(url=content), None
        if isinstance(content, bytes):
            return self._inline_or_staged(BytesIO(content))
        if isinstance(content, Path):
            with _opened(content) as opened:
                return self._inline_or_staged(opened)
        return self._inline_or_staged(content)

    def _inline_or_staged(self, content: BinaryIO) -> tuple[contract.MessageContent, str]:
        head = Upload(content).read(self._inline_limit + 1)
        if len(head) <= self._inline_limit:
            return contract.InlineContent.of(head), hashlib.sha256(head).hexdigest()
        if self._staging is None:
            raise NoStaging(size=f"more than {self._inline_limit}", limit=self._inline_limit)
        upload = Upload(content, head)
        name = self._staging.put(upload)
        return contract.StagedContent(name=name), upload.sha256


def _opened(path: Path) -> BinaryIO:
    try:
        return files.reading(path, follow=True)
    except files.NotPlainError as error:  # a pipe without a writer would block
        fix = "Open it, and give the open file."
        raise InvalidInput(field="content", value=str(path), problem=f"it is {error.strerror}", fix=fix) from error
    except OSError as error:
        problem, fix = f"it cannot be read: {error.strerror}", "Check the path, and its permissions."
        raise InvalidInput(field="content", value=str(path), problem=problem, fix=fix) from error


def _unread(field: str, url: str) -> InvalidInput:
    """Return the error of a URL that Celery's libraries cannot read; their words may show a value of it."""
    problem, fix = "its options cannot be read", "Correct or leave out what stands behind its '?'."
    return InvalidInput(field=field, value=f"{url.partition(':')[0]}:…", problem=problem, fix=fix)


def _check_service(field: str, url: str | None, *, schemes: Sequence[str]) -> None:
    scheme = (url or "").partition(":")[0]
    try:
        if url is not None and scheme in service_urls.BROKERS:
            service_urls.check(url, schemes=schemes)
    except UnusableUrl as error:
        problem = error.problem.rstrip(".")
        raise InvalidInput(field=field, value=f"{scheme}:…", problem=problem, fix=error.fix) from None


def _header(text: str, *, field: str) -> str:
    return check_text(text, field=field, longest=MAX_HEADER)


def _fields(ref: contract.ArtifactRef, *, all_versions: bool, reason: str | None) -> dict[str, Any]:
    return {**ref.model_dump(), "all_versions": all_versions, "reason": reason}


def _shown(kwargs: Mapping[str, Any]) -> str:
    """Return the text of the arguments for Flower and logs; Celery's own would copy inline content into the headers."""
    if "items" in kwargs:
        return f"{len(kwargs['items'])} items"
    return repr({key: value for key, value in kwargs.items() if key not in {"content", "metadata", "tags"}})
