"""Formats events as a table."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from tierkeeper.audit import lines
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import output
from tierkeeper.values.events import EventsCut, EventView


def event_table(events: Iterable[EventView], *, named: bool = True) -> Table:
    """Return a table of events, one a line; without ``named`` all are of one artifact, and the rule is shown."""
    if named:
        table = output.table("when", "event", "artifact", "what", "by", fold=["artifact", "what"])
        for event in events:
            table.add_row(output.moment(event.at), _type(event), _name(event), main_change(event), event.actor)
        return table
    table = output.table("when", "event", "what", "by", "rule", fold=["what", "rule"])
    for event in events:
        table.add_row(output.moment(event.at), _type(event), main_change(event), event.actor, event.policy or "-")
    return table


def _type(event: EventView) -> str:
    return "moving" if lines.is_begun(event) else event.type


def _name(event: EventView) -> str:
    if event.name is None:
        return event.tenant or ""  # what is of the whole catalog has none
    return f"{event.tenant}/{event.workflow}/{event.name}@{event.version}"


def main_change(event: EventView) -> str:
    """Return an event's main change in short: ``copies hot -> warm``; its JSON has all of it."""
    before, after = event.before or {}, event.after or {}
    parts = []
    if "tier" in before and event.version is not None:
        parts.append(f"the {before.get('state', 'present')} copy in {before['tier']}")
    for key, said in (("state", ""), ("wanted", "wanted in "), ("present", "copies in ")):
        old, new = before.get(key), after.get(key)
        if old == new or key not in after:
            continue
        parts.append(f"{said}{_tiers(new)}" if key not in before else f"{said}{_tiers(old)} -> {_tiers(new)}")
    parts += [f"{key} {after[key]}" for key in ("change", "matched", "reason") if after.get(key)]
    return ", ".join(parts)


def _tiers(value: Any) -> str:  # noqa: ANN401  a tier's name, a list of them, a state
    if isinstance(value, (list, tuple)):
        return output.tiers(value).plain if value else "nowhere"
    return str(value)


def cut_words(cut: EventsCut) -> str:
    """Return where the events are that are no longer in the catalog."""
    *earlier, last = cut.files
    more = f" and {format_count(len(earlier), 'earlier file')}" if earlier else ""
    return f"events before {cut.before:%Y-%m} are in {last}{more}; what explain needs of them is in the catalog"
