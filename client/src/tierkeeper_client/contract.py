"""The contract between producers and workers: task names, queues, argument models. No Celery here.

Task names and field names are stable: a new worker understands the messages of an old producer.
"""

import base64
import binascii
import math
import reprlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from tierkeeper_client import limits, texts, times
from tierkeeper_client.errors import FINAL_FIELD, InvalidInput
from tierkeeper_client.identifiers import MAX_HEADER, check_name, check_segment
from tierkeeper_client.limits import Bounds

MAX_VERSION = 2**31 - 1  # the catalog's column
MAX_URL = 2048  # characters of a source
_LARGEST_NUMBER = 10**308  # of JSON; readers refuse integers of thousands of digits

CORRELATION_HEADER = "tierkeeper_correlation"  # set by the producer, written to log and events; default: the task id
ACTOR_HEADER = "tierkeeper_actor"  # the actor that the audit log names
AGAIN_HEADER = "tierkeeper_again"  # marks a message that the catalog kept and that is sent again
SENDING_HEADER = "tierkeeper_sending"  # identifies one call of the client's `send`: several may use one key
SENDINGS_FIELD = "tierkeeper_sendings"  # of a stored result: the calls that it, or one that it replaced, answers
MAX_KEY = 200  # characters of a task id, by which the catalog recognises a second delivery
DEAD_LETTER_BYTES = 64 * 1024  # of a refused message that are kept
MAX_DAYS = 365_000  # of a restore: a thousand years; longer is "for good"
_SHOWN = 60  # characters of a bad value in an error


def is_final(answer: object) -> bool:
    """Return False for an answer that the next message with its key replaces: an error, or a batch with failed items.

    A refusal changed nothing, so nothing but the answer itself would keep the same message from being carried out
    once its cause is gone.
    """
    return not isinstance(answer, Mapping) or answer.get(FINAL_FIELD) is not False


def check_key(key: str) -> None:
    """Raise InvalidInput for a key that the catalog cannot keep, or that would drive an operator's terminal."""
    if len(key) > MAX_KEY or texts.control_in(key):
        problem = f"a key has at most {MAX_KEY} characters, and no control characters"
        raise InvalidInput(field="key", value=key[:_SHOWN], problem=problem, fix="Use a shorter one, such as a UUID.")


class TaskName(StrEnum):
    """Every task, by its name in messages."""

    STORE = "tierkeeper.store"
    STORE_MANY = "tierkeeper.store_many"
    PROMOTE = "tierkeeper.promote"
    ARCHIVE = "tierkeeper.archive"
    RESTORE = "tierkeeper.restore"
    PURGE = "tierkeeper.purge"
    UNDELETE = "tierkeeper.undelete"
    ROTATE = "tierkeeper.rotate"
    CLEAN_HOT = "tierkeeper.clean_hot"
    CONVERGE_DUE = "tierkeeper.converge_due"
    COLLECT = "tierkeeper.collect"
    RECOMPUTE = "tierkeeper.recompute"
    VERIFY = "tierkeeper.verify"
    RECONCILE = "tierkeeper.reconcile"
    DUMP = "tierkeeper.dump"
    MAINTAIN = "tierkeeper.maintain"
    REDELIVER = "tierkeeper.redeliver"
    CANARY = "tierkeeper.canary"
    REFUSE = "tierkeeper.refuse"


class Queue(StrEnum):
    """Every queue; one worker serves all of them by default."""

    INGEST = "ingest"
    VERBS = "verbs"
    TRANSITION = "transition"
    PURGE = "purge"
    MAINTENANCE = "maintenance"


QUEUE_OF: dict[TaskName, Queue] = {
    TaskName.STORE: Queue.INGEST,
    TaskName.STORE_MANY: Queue.INGEST,
    TaskName.PROMOTE: Queue.VERBS,
    TaskName.ARCHIVE: Queue.VERBS,
    TaskName.RESTORE: Queue.VERBS,
    TaskName.PURGE: Queue.VERBS,
    TaskName.UNDELETE: Queue.VERBS,
    TaskName.ROTATE: Queue.TRANSITION,
    TaskName.CLEAN_HOT: Queue.TRANSITION,
    TaskName.CONVERGE_DUE: Queue.TRANSITION,
    TaskName.COLLECT: Queue.PURGE,
    TaskName.RECOMPUTE: Queue.MAINTENANCE,
    TaskName.VERIFY: Queue.MAINTENANCE,
    TaskName.RECONCILE: Queue.MAINTENANCE,
    TaskName.DUMP: Queue.MAINTENANCE,
    TaskName.MAINTAIN: Queue.MAINTENANCE,
    TaskName.REDELIVER: Queue.MAINTENANCE,
    TaskName.CANARY: Queue.MAINTENANCE,  # Beat sends one to every queue
    TaskName.REFUSE: Queue.MAINTENANCE,  # a worker runs it in the place of a message that it refused
}


def _segment(value: str, info: ValidationInfo) -> str:
    return check_segment(value, field=info.field_name or "segment")


def _moment(value: datetime) -> datetime:
    try:
        return times.checked(value, field="time")
    except InvalidInput as error:
        msg = f"{error.data['problem']}; {error.data['fix']}"
        raise ValueError(msg) from error


def _storable(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return ``value`` as the catalog reads it back: JSON without NUL, lone surrogates, NaN and infinity."""
    if isinstance(value, Mapping):
        return {_key(key): _storable(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(member) for member in value]
    if isinstance(value, str):
        if "\0" in value:
            msg = f"{value[:_SHOWN]!r} has a NUL character; leave it out"
            raise ValueError(msg)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            msg = f"{value[:_SHOWN]!r} is not valid Unicode (a lone surrogate); send it as UTF-8 text"
            raise ValueError(msg) from error
    elif isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        msg = "an integer has more than 308 digits; send it as text"
        raise ValueError(msg)
    elif isinstance(value, float) and not math.isfinite(value):
        msg = f"{value} is no number of JSON; leave it out, or send it as text"
        raise ValueError(msg)
    elif value is not None and not isinstance(value, (int, float)):
        msg = f"{str(value)[:_SHOWN]!r} is a {type(value).__name__}, which JSON has not; send it as text"
        raise ValueError(msg)
    return value


def _key(value: Any) -> str:  # noqa: ANN401  any key of a mapping
    if not isinstance(value, str):
        msg = f"the key {str(value)[:_SHOWN]!r} is a {type(value).__name__}, and keys of JSON are text; send it as text"
        raise ValueError(msg)  # noqa: TRY004  pydantic's validators raise ValueError
    return str(_storable(value))


def _plain(value: str) -> str:
    if control := texts.control_in(_storable(value)):
        msg = f"{value[:_SHOWN]!r} has the control character {control!r}; leave it out"
        raise ValueError(msg)
    return value


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        msg = f"not base64: {error}"
        raise ValueError(msg) from error
    return value


def _limits(info: ValidationInfo) -> Bounds:
    return info.context if isinstance(info.context, Bounds) else limits.DEFAULT


def _within(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def _metadata(value: dict[str, Any], info: ValidationInfo) -> Any:  # noqa: ANN401  any JSON
    _within(limits.metadata_problem(value, _limits(info)))
    stored = _storable(value)
    _within(limits.size_problem(stored, _limits(info)))
    return stored


def _tags(value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    _within(limits.tags_problem(value, _limits(info)))
    return value


def _reason(value: str, info: ValidationInfo) -> str:
    if len(value) > (longest := _limits(info).reason):
        _within(f"it has {len(value)} characters, over the limit of {longest}; shorten it")
    return _plain(value)


def _items(value: list[Any], info: ValidationInfo) -> list[Any]:
    if len(value) > (most := _limits(info).items):
        _within(f"there are {len(value)} items, over the limit of {most}; send several messages")
    return value


Segment = Annotated[str, AfterValidator(_segment)]
ArtifactName = Annotated[str, AfterValidator(check_name)]
UtcTime = Annotated[datetime, AfterValidator(_moment)]
StorableText = Annotated[str, AfterValidator(_storable)]  # what is shown of it is stripped where it is shown
PlainText = Annotated[str, AfterValidator(_plain)]
Base64 = Annotated[str, AfterValidator(_base64)]
Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]


class Message(BaseModel):
    """The base of all argument models: unknown fields are refused, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ArtifactRef(Message):
    """A reference to an artifact: to ``version``, or to the latest version if that is None."""

    tenant: Segment
    workflow: Segment
    name: ArtifactName
    version: Version | None = None

    def __str__(self) -> str:
        version = "" if self.version is None else f"@{self.version}"
        return f"{self.tenant}/{self.workflow}/{self.name}{version}"


class InlineContent(Message):
    """Small content within the message, in base64."""

    kind: Literal["inline"] = "inline"
    data: Base64

    @classmethod
    def of(cls, content: bytes) -> "InlineContent":
        """Return ``content`` wrapped for a message."""
        return cls(data=base64.b64encode(content).decode())

    def content(self) -> bytes:
        """Return the decoded bytes."""
        return base64.b64decode(self.data)


class StagedContent(Message):
    """Content that the client wrote into the staging area; ``name`` is the name of its file or object."""

    kind: Literal["staged"] = "staged"
    name: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class SourceContent(Message):
    """Content that the worker fetches: ``file:`` below an allowed root, ``s3:`` in an allowed bucket."""

    kind: Literal["source"] = "source"
    url: Annotated[PlainText, Field(max_length=MAX_URL)]


MessageContent = Annotated[InlineContent | StagedContent | SourceContent, Field(discriminator="kind")]


class StoreArgs(Message):
    """Arguments of ``tierkeeper.store``; also one item of ``tierkeeper.store_many``."""

    tenant: Segment
    workflow: Segment
    name: ArtifactName
    content: MessageContent
    content_type: Annotated[PlainText, Field(max_length=255)] = "application/octet-stream"
    metadata: Annotated[dict[str, Any], AfterValidator(_metadata)] = Field(default_factory=dict)
    tags: Annotated[dict[PlainText, PlainText], AfterValidator(_tags)] = Field(default_factory=dict)
    created: UtcTime | None = None  # in the past only; sets the age of imported content
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # the store is refused if the bytes differ
    force: bool = False  # make a new version even if nothing changed


class StoreManyArgs(Message):
    """Arguments of ``tierkeeper.store_many``: small artifacts, each with an outcome of its own."""

    items: Annotated[list[StoreArgs], Field(min_length=1), AfterValidator(_items)]


class StoreManyMessage(Message):
    """Arguments of ``tierkeeper.store_many`` as a worker reads them: items are validated one by one later."""

    items: Annotated[list[Any], Field(min_length=1), AfterValidator(_items)]


class VerbArgs(Message):
    """The base of all verbs' arguments: an artifact's latest version, one version of it, or all its versions."""

    tenant: Segment
    workflow: Segment
    name: ArtifactName
    version: Version | None = None
    all_versions: bool = False
    reason: Annotated[str, AfterValidator(_reason)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "VerbArgs":
        if self.version is not None and self.all_versions:
            msg = "version and all_versions exclude each other; leave one out"
            raise ValueError(msg)
        return self

    def ref(self) -> ArtifactRef:
        """Return the reference to the artifact that these arguments name."""
        return ArtifactRef(tenant=self.tenant, workflow=self.workflow, name=self.name, version=self.version)


class PromoteArgs(VerbArgs):
    """Arguments of ``tierkeeper.promote``: to ``to_tier``, in either direction, until the next phase begins."""

    to_tier: Segment


class ArchiveArgs(VerbArgs):
    """Arguments of ``tierkeeper.archive``: to the coldest tier, for good."""


class RestoreArgs(VerbArgs):
    """Arguments of ``tierkeeper.restore``: add a copy in ``to_tier`` (None: the hottest), for ``days`` or for good."""

    to_tier: Segment | None = None
    days: Annotated[float, Field(gt=0, le=MAX_DAYS)] | None = None


class PurgeArgs(VerbArgs):
    """Arguments of ``tierkeeper.purge``: deleted now, gone after the undo window of its policy."""


class UndeleteArgs(VerbArgs):
    """Arguments of ``tierkeeper.undelete``: live again, while the undo window lasts."""


class RunArgs(Message):
    """Arguments of a task that works for the run ``run``."""

    run: UUID


class RefuseArgs(Message):
    """Arguments of ``tierkeeper.refuse``: a message that a worker refused, and why."""

    raw: Annotated[Base64, Field(max_length=-(-DEAD_LETTER_BYTES // 3) * 4)]  # the beginning of the message
    size: Annotated[int, Field(ge=0)]  # bytes of the whole message
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of the whole message
    reason: Annotated[StorableText, Field(max_length=1000)]
    broker: Annotated[StorableText, Field(max_length=20)]
    queue: Annotated[StorableText, Field(max_length=255)]
    task: Annotated[StorableText, Field(max_length=MAX_HEADER)]  # "unknown" if its header names none


class SweepArgs(Message):
    """Arguments of a sweep: none, because the catalog records what is due."""


VERB_ARGS: dict[TaskName, type[Message]] = {
    TaskName.STORE: StoreArgs,
    TaskName.STORE_MANY: StoreManyArgs,
    TaskName.PROMOTE: PromoteArgs,
    TaskName.ARCHIVE: ArchiveArgs,
    TaskName.RESTORE: RestoreArgs,
    TaskName.PURGE: PurgeArgs,
    TaskName.UNDELETE: UndeleteArgs,
}

ARGS: dict[TaskName, type[Message]] = {name: VERB_ARGS.get(name, SweepArgs) for name in TaskName} | {
    TaskName.CONVERGE_DUE: RunArgs
}

M = TypeVar("M", bound=Message)


def validated(model: type[M], arguments: Mapping[str, Any], *, within: Bounds = limits.DEFAULT) -> M:
    """Return ``arguments`` as an instance of ``model``; raise :class:`InvalidInput` naming the first field at fault."""
    try:
        return model.model_validate(dict(arguments), context=within)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        raise InvalidInput(
            field=".".join(str(part) for part in first["loc"]) or "the arguments",
            value=None if first["type"] == "missing" else _shown(first["input"]),
            problem=first["msg"].removeprefix("Value error, ") + also,
            fix=f"Send keyword arguments as {model.__name__} describes them.",
        ) from error


def _shown(value: object) -> object:
    """Return a value shortened for an error message, so that errors never carry content back."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else reprlib.repr(value)  # the value may be large, and deep
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
