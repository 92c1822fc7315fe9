"""Events as lines of JSON: what `events -o json` and `events --export` write, and files of detached months have.

A line has every column of an event whose position is final, so it stands for the event.
"""

import json
from typing import Any

from tierkeeper.audit.kinds import EventType
from tierkeeper.values.events import EventView
from tierkeeper.values.plain import plain


def record(event: EventView) -> dict[str, Any]:
    """Return the fields of one exported line: the seven that readers of such logs expect, then our own.

    ``event_type`` of a move names its target, such as ``promoted_to_warm``, or ``moving_to_warm`` where it is only
    begun. ``dry_run`` is always false: a dry run writes no events.
    """
    return {
        "timestamp": event.at.isoformat(),
        "event_type": _type(event),
        "tenant_id": event.tenant,
        "workflow_id": event.workflow,
        "artifact_id": event.name,
        "age_days": None if event.age_days is None else round(event.age_days, 3),
        "dry_run": False,
        "version": event.version,
        "actor": event.actor,
        "policy": event.policy,
        "before": plain(event.before),
        "after": plain(event.after),
        "subject": str(event.subject),
        "revision": event.revision,
        "run": plain(event.run),
        "correlation": event.correlation,
        "position": event.position,
    }


def line(event: EventView) -> bytes:
    """Return an event's line, as it is written into files, with its end."""
    return json.dumps(record(event), ensure_ascii=False).encode() + b"\n"


def is_begun(event: EventView) -> bool:
    """Return True for a move of which wanted copies were lacking still: it is tried again, and a later one ends it."""
    after = event.after or {}
    lacking = set(after.get("wanted", ())) - set(after.get("present", after.get("wanted", ())))
    return event.type == EventType.MOVED and bool(lacking)


def _type(event: EventView) -> str:
    wanted = (event.after or {}).get("wanted")
    if event.type != EventType.MOVED or not wanted:
        return str(event.type)
    return f"{'moving' if is_begun(event) else 'promoted'}_to_{'_and_'.join(sorted(wanted))}"
