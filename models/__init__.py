"""The catalog's tables, one a file; importing this package registers all of them in the metadata."""

from models.artifact import Artifact
from models.base import Base
from models.blob import Blob
from models.command import Command
from models.delivery import Delivery
from models.event import Event
from models.heartbeat import Heartbeat
from models.history import History
from models.hold import Hold
from models.name import Name
from models.placement import Placement
from models.plan import Plan
from models.plan_item import PlanItem
from models.policy import PolicyVersion
from models.quarantine import Quarantine
from models.run import Run
from models.schedule import Schedule
from models.segment import MonthSegment
from models.staging import StagedUpload
from models.switch import Switch
from models.tenant import Tenant

__all__ = [
    "Artifact",
    "Base",
    "Blob",
    "Command",
    "Delivery",
    "Event",
    "Heartbeat",
    "History",
    "Hold",
    "MonthSegment",
    "Name",
    "Placement",
    "Plan",
    "PlanItem",
    "PolicyVersion",
    "Quarantine",
    "Run",
    "Schedule",
    "StagedUpload",
    "Switch",
    "Tenant",
]
