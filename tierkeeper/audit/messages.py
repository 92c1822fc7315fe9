"""Events whose subject is a message that did not succeed at once."""

from dataclasses import dataclass
from typing import ClassVar

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import Payload, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePayload(Payload):
    """An event of a message, at the revision of its row."""

    kind: ClassVar[SubjectKind] = SubjectKind.MESSAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage(Side):
    """The message's task and key, and why it is kept."""

    task: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryParked(MessagePayload):
    """It is kept until an operator decides."""

    type: ClassVar[EventType] = EventType.DELIVERY_PARKED
    after: KeptMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWaits(MessagePayload):
    """It is kept until its store is back."""

    type: ClassVar[EventType] = EventType.DELIVERY_WAITS
    after: KeptMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedMessage(Side):
    """The message's task, and the effect of the operator's decision in words."""

    task: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRetried(MessagePayload):
    """An operator has it sent again."""

    type: ClassVar[EventType] = EventType.DELIVERY_RETRIED
    after: DecidedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySkipped(MessagePayload):
    """An operator keeps it, and it is not sent again by itself."""

    type: ClassVar[EventType] = EventType.DELIVERY_SKIPPED
    after: DecidedMessage
