import json
from typing import TYPE_CHECKING

import click

from tierkeeper.base import clock
from tierkeeper.cli.support import eventlog, listing, output, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import ArtifactView
from tierkeeper.values.plain import plain

if TYPE_CHECKING:
    from rich.table import Table


@click.command(cls=TierCommand)
@click.argument("artifact")
@params.tenant_option
@params.version_option
@pass_session
def show(session: Session, *, artifact: str, tenant: str | None, version: int | None) -> None:
    """Show ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]) in any state, with its copies."""
    ref = params.with_version(params.parse_ref(artifact, tenant=tenant), version)
    view = session.keeper.artifacts.show(ref)
    if session.output.as_json:
        session.output.document(view)
    else:
        session.output.print(facts(view), "", copies(view))


def facts(view: ArtifactView) -> "Table":
    """Return the facts about an artifact, one a line."""
    now = clock.now()
    due = None
    if view.due_at is not None and view.next_step is not None:
        due = listing.next_of(view, now)
    return output.pairs(
        [
            ("artifact", output.unbroken(view.ref, style="bold")),
            ("state", output.word(view.state.value)),
            ("size", f"{output.size(view.size)} ({view.size} bytes)"),
            ("sha256", view.sha256),
            ("content type", view.content_type),
            ("created", f"{output.moment(view.created_at)} ({output.relative(view.created_at, now)})"),
            ("stored", output.moment(view.stored_at)),
            ("read", None if view.accessed_at is None else output.moment(view.accessed_at)),
            ("tags", ", ".join(f"{k}={v}" for k, v in view.tags.items()) or None),
            ("metadata", json.dumps(plain(view.metadata), ensure_ascii=False) if view.metadata else None),
            ("policy", view.policy),
            ("wanted in", output.tiers(view.wanted)),
            ("retained until", None if view.retain_until is None else output.moment(view.retain_until)),
            ("purged at", None if view.purged_at is None else output.moment(view.purged_at)),
            ("undo until", None if view.purge_at is None else output.moment(view.purge_at)),
            ("parked", None if view.parked_reason is None else output.Text(view.parked_reason, style="red")),
            ("failed", None if (failed := listing.failure_of(view)) is None else output.Text(failed, style="yellow")),
            ("next", due),
            ("history", None if view.events_cut is None else eventlog.cut_words(view.events_cut)),
        ]
    )


def copies(view: ArtifactView) -> "Table | str":
    """Return the copies of an artifact, one a line."""
    if not view.placements:
        return "no copies"
    table = output.table(
        "copy in", "state", "stored", "since", "location", right=["stored"], fold=["state", "location"]
    )
    for copy in view.placements:
        state = output.word(copy.state.value)
        if copy.damaged_at is not None:
            state = output.Text("damaged", style="red")
        elif copy.suspect:
            again = output.moment(copy.looked_for_after)
            state = output.Text(
                f"{copy.state.value}, not found at {output.moment(copy.missed_at)}: looked for again after {again}",
                style="yellow",
            )
        elif copy.in_doubt:
            state = output.Text(f"{copy.state.value}, not vouched for: will be read", style="yellow")
        elif copy.refusal is not None:
            state = output.Text(f"{copy.state.value}, which its store refuses: {copy.refusal}", style="red")
        table.add_row(
            output.word(copy.tier), state, output.size(copy.stored_size), output.moment(copy.since), copy.location
        )
    return table
