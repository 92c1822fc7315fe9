"""All tables of the catalog in one metadata: for migrations and dumps."""

from models.artifact import ARTIFACTS
from models.base import METADATA
from models.blob import BLOBS
from models.command import COMMANDS
from models.delivery import DELIVERIES
from models.event import EVENTS
from models.heartbeat import HEARTBEATS
from models.history import HISTORY
from models.hold import HOLDS
from models.name import NAMES
from models.placement import PLACEMENTS
from models.plan import PLANS
from models.plan_item import PLAN_ITEMS
from models.policy import POLICIES
from models.quarantine import QUARANTINE
from models.run import RUNS
from models.schedule import SCHEDULE
from models.segment import SEGMENTS
from models.staging import STAGING
from models.switch import SWITCHES
from models.tenant import TENANTS

__all__ = [
    "ARTIFACTS",
    "BLOBS",
    "COMMANDS",
    "DELIVERIES",
    "EVENTS",
    "HEARTBEATS",
    "HISTORY",
    "HOLDS",
    "METADATA",
    "NAMES",
    "PLACEMENTS",
    "PLANS",
    "PLAN_ITEMS",
    "POLICIES",
    "QUARANTINE",
    "RUNS",
    "SCHEDULE",
    "SEGMENTS",
    "STAGING",
    "SWITCHES",
    "TENANTS",
]
