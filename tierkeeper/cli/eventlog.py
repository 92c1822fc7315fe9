"""Events as a table, and in the fields that a reader of JSON lines expects."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from tierkeeper.base.values import EventView, plain
from tierkeeper.cli import output


def record(event: EventView) -> dict[str, Any]:
    """Return the fields of one exported line: the seven that log readers know, then ours.

    ``event_type`` of a move says where to, such as ``promoted_to_warm``. ``dry_run`` is always false: a dry run writes
    no events.
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
    }


def _type(event: EventView) -> str:
    wanted = (event.after or {}).get("wanted")
    return f"promoted_to_{'_and_'.join(sorted(wanted))}" if event.type == "moved" and wanted else str(event.type)


def event_table(events: Iterable[EventView], *, named: bool = True) -> Table:
    """Return events, one a line; without ``named`` they are all of one artifact."""
    columns = ["when", "event", *(["artifact"] if named else []), "change", "by"]
    made = output.table(*columns, fold=["artifact", "change"])
    for event in events:
        by = event.actor if event.policy is None else f"{event.actor}, {event.policy}"
        name = [_name(event)] if named else []
        made.add_row(output.moment(event.at), event.type, *name, change(event.before, event.after), by)
    return made


def _name(event: EventView) -> str:
    if event.name is None:
        return str(event.tenant)
    return f"{event.tenant}/{event.workflow}/{event.name}@{event.version}"


def change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Return what an event changed, in short: ``tiers hot -> warm``."""
    before, after = before or {}, after or {}
    parts = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None:
            parts.append(f"{key} {_short(new)}")
        else:
            parts.append(f"{key} {_short(old)} -> {_short(new)}")
    return ", ".join(parts)


def _short(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    if value is None or value in ([], ""):
        return "nothing"
    if isinstance(value, (list, tuple)):
        return "+".join(str(one) for one in value)
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004  a table's cell
