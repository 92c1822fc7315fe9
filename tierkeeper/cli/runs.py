from typing import Final
from uuid import UUID

import click
from rich.text import Text

from tierkeeper.base.errors import InvalidInput, RunNotFound
from tierkeeper.base.states import RunKind
from tierkeeper.base.values import RunView
from tierkeeper.cli import output, params
from tierkeeper.cli.groups import TierGroup
from tierkeeper.cli.session import Session, pass_session
from tierkeeper.cli.statistics import SHORT_ID, run_table

LATEST: Final = 1000  # runs in which the end of an id is looked for


@click.group(cls=TierGroup)
def runs() -> None:
    """List sweeps and bulk jobs, and what they did."""


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
    found = session.keeper.runs(kind=None if kind is None else RunKind(kind), limit=limit)
    if session.output.as_json:
        session.output.document(found)
    elif found:
        session.output.print(run_table(found))
    else:
        session.output.say("no runs yet")


@runs.command()
@click.argument("run")
@pass_session
def show(session: Session, *, run: str) -> None:
    """Show one RUN by its id, or by the end of it as `runs list` prints it."""
    found = _find(session, run)
    if session.output.as_json:
        session.output.document(found)
        return
    session.output.print(
        output.pairs(
            [
                ("run", Text(str(found.id), style="bold")),
                ("kind", found.kind.value),
                ("state", output.word(found.state.value)),
                ("tenant", found.tenant or "all"),
                ("by", found.actor),
                ("started", output.moment(found.started_at)),
                ("finished", output.moment(found.finished_at)),
                ("moved", output.size(found.bytes)),
                ("errors", str(found.errors)),
                *((what, str(count)) for what, count in found.counts.items()),
            ]
        )
    )


def _find(session: Session, text: str) -> RunView:
    try:
        return session.keeper.run(UUID(text))
    except ValueError:
        found = [run for run in session.keeper.runs(limit=LATEST) if str(run.id).endswith(text)]
    if len(text) < SHORT_ID or len(found) > 1:
        raise InvalidInput(
            field="run",
            value=text,
            problem="it is not enough of an id to tell one run",
            fix=f"Write the {SHORT_ID} characters that `runs list` prints, or the whole id (-o json).",
        )
    if not found:
        raise RunNotFound(run=text)
    return found[0]
