from datetime import datetime

import click

from tierkeeper.base.errors import RunNotFound
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.cli.support import output, params, short_ids, statistics
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.runs import RunView

reason_option = click.option("--reason", type=params.REASON, required=True, help="Why; it stands in the audit log.")


@click.group(cls=TierGroup)
def runs() -> None:
    """List sweeps and bulk jobs, and what they did; approve or reject what awaits a decision."""


@runs.command(name="list")
@click.option("--kind", type=click.Choice([kind.value for kind in RunKind]), help="Only of this kind.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    callback=params.bounded,
    help="At most so many.",
)
@pass_session
def list_runs(session: Session, *, kind: str | None, limit: int) -> None:
    """List the latest runs."""
    found = session.keeper.runs.latest(kind=None if kind is None else RunKind(kind), limit=limit)
    if session.output.as_json:
        session.output.document(found)
    elif found:
        session.output.print(statistics.run_table(found))
    else:
        session.output.say("no runs yet" if kind is None else f"no {kind} runs yet")


@runs.command()
@click.argument("run")
@pass_session
def show(session: Session, *, run: str) -> None:
    """Show one RUN by its id, or by the end of it as `runs list` prints it."""
    view = _find(session, run)
    if session.output.as_json:
        session.output.document(view)
        return
    session.output.print(
        output.pairs(
            [
                ("run", output.Text(str(view.id), style="bold")),
                ("kind", view.kind.value),
                ("state", output.word(view.state.value)),
                ("tenant", view.tenant or "all"),
                ("by", view.actor),
                ("started", output.moment(view.started_at)),
                ("finished", output.moment(view.finished_at)),
                ("moved", output.size(view.bytes)),
                ("errors", str(view.errors)),
                *((statistics.label_words(what), str(count)) for what, count in view.counts.items()),
                *_waiting(view),
            ]
        )
    )


@runs.command()
@click.argument("run")
@click.option("--at-most", type=click.IntRange(min=0), help="refuse if it waits with more by now than you have seen")
@reason_option
@pass_session
def approve(session: Session, *, run: str, at_most: int | None, reason: str) -> None:
    """Let RUN go on that awaits approval: exactly what it counted, and nothing that came due later."""
    found = session.keeper.runs.approve(_find(session, run).id, caller=session.caller, reason=reason, at_most=at_most)
    _decided(session, found)


@runs.command()
@click.argument("run")
@reason_option
@pass_session
def reject(session: Session, *, run: str, reason: str) -> None:
    """Do not let RUN go on that awaits approval. What the brake stopped is kept for engine.undelete_pin."""
    found = session.keeper.runs.reject(_find(session, run).id, caller=session.caller, reason=reason)
    _decided(session, found)


def _decided(session: Session, found: RunView) -> None:
    if session.output.as_json:
        session.output.document(found)
    else:
        session.output.print(f"run {found.id} is {found.state.value}: {_follows(found)}")


def _follows(view: RunView) -> str:
    """Return the consequence of the decision about a run, in words."""
    approved = (view.approval or {}).get("decision") == RunState.APPROVED
    if view.kind is RunKind.RECONCILE:
        of = ", ".join(f"{tier} {count}" for tier, count in view.arguments.get("findings", {}).items())
        return f"the next reconcile acts on what was found ({of})" if approved else "nothing is repaired or deleted"
    if view.kind is not RunKind.PURGE:
        return statistics.counts_words(view.counts)
    count = int(view.counts.get("stopped", 0))
    artifacts = f"{count} artifact{'' if count == 1 else 's'}"
    verb = "is" if count == 1 else "are"
    if not approved:
        return f"{artifacts} {verb} kept"
    if "selection" in view.arguments:  # a purge by filter waits for its command
        return f"give the same command again; it may purge {artifacts}"
    return f"{artifacts} {verb} deleted by the next sweep"


def _waiting(view: RunView) -> list[tuple[str, str]]:
    """Return why a run awaits an approval, its subject, and the decision with its actor."""
    arguments = view.arguments
    lines = [("why", view.reason)] if view.reason else []
    if view.kind is RunKind.PURGE:
        lines += [("by policy", f"{name}: {count}") for name, count in arguments.get("policies", {}).items()]
    lines += [("such as", str(name)) for name in arguments.get("samples") or ()]
    if view.approval is not None:
        by, at = view.approval["by"], output.moment(datetime.fromisoformat(view.approval["at"]))
        lines.append((str(view.approval["decision"]), f"by {by} at {at}: {view.approval['reason']}"))
    return lines


def _find(session: Session, text: str) -> RunView:
    runs = session.keeper.runs
    run = short_ids.whole(
        text, lambda: [each.id for each in runs.latest(limit=short_ids.LATEST)], field="run", listing="runs list"
    )
    if run is None:
        raise RunNotFound(run=text)
    return runs.get(run)
