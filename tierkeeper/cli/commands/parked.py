import base64
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from tierkeeper.base.errors import ParkedNotFound, TierkeeperError
from tierkeeper.cli.support import listing, messages, output, params
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.parking import Stuck, StuckError, StuckFilter, StuckKind, StuckResult, StuckState

if TYPE_CHECKING:
    from rich.table import Table

REFUSED: Final = "refused"  # a dead letter, which cannot be sent again
ITEM_HELP: Final = "ITEM is an artifact (TENANT/WORKFLOW/NAME[@VERSION]), or a message's key or id."


@click.group(cls=TierGroup)
def parked() -> None:
    """List, retry or skip what is stuck: artifacts that no sweep takes any more, and messages."""


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select what is stuck; the command is given one ``chosen``."""

    @functools.wraps(command)  # carries over click's own parameters too
    def wrapped(*args: Any, **values: Any) -> Any:  # noqa: ANN401  whatever click gives and the command returns
        names = ("tenant", "workflow", "name", "reason")
        kind = values.pop("kind")
        chosen = StuckFilter(**{n: values.pop(n) for n in names}, kind=None if kind is None else StuckKind(kind))
        return command(*args, chosen=chosen, **values)

    options = [
        params.tenant_option,
        click.option("--workflow", help="Workflow, or a pattern such as 'weekly_*'."),
        click.option("--name", help="Name, or a pattern such as '*.md'."),
        click.option("--reason", help="With this in the reason."),
        click.option("--kind", type=click.Choice([kind.value for kind in StuckKind]), help="Only of this kind."),
    ]
    for option in reversed(options):
        option(wrapped)
    return wrapped


@parked.command(name="list")
@filters
@click.option(
    "--state",
    "standing",
    type=click.Choice([*(state.value for state in StuckState), "any"]),
    default=StuckState.PARKED.value,
    show_default=True,
    help="What waits is sent again by itself.",
)
@pass_session
def list_parked(session: Session, *, chosen: StuckFilter, standing: str) -> None:
    """List what is parked, with the reasons."""
    items = session.keeper.parked.select(replace(chosen, state=None if standing == "any" else StuckState(standing)))
    if session.output.as_json:
        session.output.array(session.closed_at_end(items))
        return
    shown, more = listing.first(session.closed_at_end(items), listing.TABLE_ROWS)
    if shown:
        session.output.print(_table(shown))
        if more:
            session.output.say(f"only the first {len(shown)}; a filter shows less, -o json all of them")
    else:
        nothing = f"nothing is {'stuck' if standing == 'any' else standing}"
        session.output.say(nothing if chosen == StuckFilter() else f"{nothing} that fits")


def _table(items: Sequence[Stuck]) -> "Table":
    """Return a table of stuck items, one a line; with sizes where there are dead letters."""
    sizes = any(item.size is not None for item in items)
    columns = ("item", "what", *(["size"] if sizes else []), "state", "since", "reason")
    table = output.table(*columns, right=["size"], fold=["item", "reason"])
    for item in items:
        size = [output.size(item.size)] if sizes else []
        state, since = output.word(item.state.value), output.moment(item.since)
        table.add_row(_called(item), _what(item), *size, state, since, item.reason)
    return table


@parked.command(help=f"Show one ITEM.\n\n{ITEM_HELP}")
@click.argument("item")
@params.tenant_option
@click.option("--raw", is_flag=True, help="Only what is kept of a refused message, in base64.")
@pass_session
def show(session: Session, *, item: str, tenant: str | None, raw: bool) -> None:
    """Show one item."""
    items = list(session.keeper.parked.select(replace(_item_filter(item, StuckFilter(tenant=tenant)), state=None)))
    if not items:
        raise ParkedNotFound(item=item)
    if raw:
        for stuck in items:
            click.echo(base64.b64encode(session.keeper.parked.raw(stuck.id)))  # as text it could steer a terminal
        return
    if session.output.as_json:
        session.output.document(items)
        return
    for stuck in items:
        rows = [
            ("item", output.Text(_called(stuck), style="bold")),
            ("kind", stuck.kind.value),
            ("state", output.word(stuck.state.value)),
            ("tenant", stuck.tenant or "-"),
            ("what", _what(stuck)),
            ("reason", stuck.reason),
            ("attempts" if stuck.kind is not StuckKind.MALFORMED else "came", str(stuck.attempts)),
            ("since", output.moment(stuck.since)),
            *_origin(stuck),
            ("sent again", output.moment(stuck.due_at)),
            ("id", str(stuck.id)),
        ]
        session.output.print(output.pairs(rows))


@parked.command(help=f"Make parked items due now, as if they had never been tried.\n\n{ITEM_HELP}")
@click.argument("items", nargs=-1, metavar="[ITEM]…")
@filters
@click.option("--all", "everything", is_flag=True, help="All that is parked.")
@params.dry_run_option
@pass_session
def retry(session: Session, **options: Any) -> None:  # noqa: ANN401  handed on by name
    """Retry."""
    _carry_out(session, session.keeper.parked.retry, **options)


@parked.command(
    help="Leave parked items as they are: an artifact until its next phase, or until a verb or a policy edit makes it"
    f" due; a message until it is retried, for `commands_kept` at most. Nothing is deleted before.\n\n{ITEM_HELP}"
)
@click.argument("items", nargs=-1, metavar="[ITEM]…")
@filters
@click.option("--all", "everything", is_flag=True, help="All that is parked.")
@params.dry_run_option
@pass_session
def skip(session: Session, **options: Any) -> None:  # noqa: ANN401  handed on by name
    """Skip."""
    _carry_out(session, session.keeper.parked.skip, **options)


def _carry_out(
    session: Session,
    decide: Callable[..., list[StuckResult]],
    *,
    items: Sequence[str],
    chosen: StuckFilter,
    everything: bool,
    dry_run: bool,
) -> None:
    """Apply ``decide`` to the items that the arguments or the filter select, and print the outcome of each.

    With a single item its error is raised; with several, one that fails does not stop the others, and the exit code is
    7. What all the others would meet too ends it, after what was decided is printed.
    """
    if bool(items) == (everything or replace(chosen, tenant=None) != StuckFilter()):
        raise click.UsageError("Name items, or select some, such as with --workflow or --reason, or say --all.")
    # a skipped message can be retried, but only by name
    selections = {item: replace(_item_filter(item, chosen), state=None) for item in items}
    results: list[StuckResult | StuckError] = []
    try:
        for asked, selection in (selections or {"": replace(chosen, state=StuckState.PARKED)}).items():
            try:
                results += decide(selection, caller=session.caller, dry_run=dry_run)
            except TierkeeperError as error:
                if len(selections) <= 1 or error.of_all:
                    raise
                results.append(StuckError(asked, error.as_dict()))
    finally:
        if results:
            _print_decisions(session, results, dry_run=dry_run)
    if any(isinstance(result, StuckError) or result.outcome == REFUSED for result in results):
        click.get_current_context().exit(messages.SOME_FAILED)


def _print_decisions(session: Session, results: Sequence[StuckResult | StuckError], *, dry_run: bool) -> None:
    if session.output.as_json:
        session.output.document(results)
        return
    table = output.table("item", "outcome", "detail", "reason", fold=["item", "detail", "reason"])
    for result in results:
        if isinstance(result, StuckError):
            table.add_row(result.asked, output.word("error"), str(result.error["message"]), "")
            continue
        outcome = output.Text("dry run: " if dry_run else "", style="bright_black")
        outcome.append_text(output.word(result.outcome))
        table.add_row(_called(result.item), outcome, result.detail, result.item.reason)
    session.output.print(table)


def _item_filter(item: str, chosen: StuckFilter) -> StuckFilter:
    """Return the filter that selects one item: a UUID, a text with slashes names an artifact, any other is a key."""
    try:
        return replace(chosen, item=str(UUID(item)))
    except ValueError:
        pass
    if "/" not in item:
        return replace(chosen, item=item)
    ref = params.parse_ref(item, tenant=chosen.tenant)
    return replace(chosen, tenant=ref.tenant, workflow=ref.workflow, name=ref.name, version=ref.version)


def _origin(stuck: Stuck) -> list[tuple[str, str]]:
    """Return where and when a refused message came; nothing for other items."""
    if stuck.queue is None:
        return []
    return [
        ("size", output.size(stuck.size)),
        ("first", output.moment(stuck.first_at)),
        ("broker", stuck.broker or "-"),
        ("queue", stuck.queue),
    ]


def _called(item: Stuck) -> str:
    """Return the name by which the commands take the item."""
    return str(item.ref if item.kind is StuckKind.ARTIFACT else item.key)


def _what(item: Stuck) -> str:
    """Return the step of an artifact; of a message its task, and what it is about."""
    about = None if item.kind is StuckKind.ARTIFACT else item.ref or item.tenant
    return f"{item.what} of {about}" if about else item.what
