import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from tierkeeper.audit import lines
from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import Outcome
from tierkeeper.cli.support import eventlog, messages, output, params, questions, targets
from tierkeeper.cli.support.groups import TierCommand, VerbedCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.detaching import DetachedMonth
from tierkeeper.values.events import EventView

TABLE_ROWS: Final = 50
BEGINNING: Final = "0"  # of the order of positions
FILE_NAME: Final = "lifecycle_events.jsonl"


class CalendarMonth(click.ParamType[datetime]):
    """A month in UTC: ``2026-03``."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401  click's own
        """Return its beginning."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.strptime(value, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value!r} is no month; write it like 2026-03", param, ctx)


@click.command(cls=VerbedCommand)
@click.argument("artifact", required=False)
@params.tenant_option
@click.option("--type", "kind", help="Only events of this type.")
@click.option("--since", type=params.MOMENT, help="Not before: ISO 8601, or an age such as 2h.")
@params.limit_option
@click.option("--oldest-first", is_flag=True, help="The oldest first; by default the newest.")
@click.option(
    "--after",
    metavar="POSITION",
    help=f"In the order of positions, those after this one; after {BEGINNING}: all there are. For who follows the log.",
)
@click.option(
    "--export",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help=f"Write them as JSON lines, oldest first, into FILE (- is stdout); without one into {FILE_NAME} in LOG_DIR.",
)
@pass_session
def events(
    session: Session,
    *,
    artifact: str | None,
    tenant: str | None,
    kind: str | None,
    since: datetime | None,
    limit: int | None,
    oldest_first: bool,
    after: str | None,
    export: str | None,
) -> None:
    """Read the audit log, of all or of one ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]); -o json prints JSON lines."""
    ref = None if artifact is None else params.parse_ref(artifact, tenant=tenant)
    table = not session.output.as_json and export is None
    newest_first = not oldest_first and export is None
    most = limit or (TABLE_ROWS if table else None)
    if after is not None:
        if artifact or tenant or kind or since:
            raise click.UsageError("--after goes with --limit and --export alone: it reads the events of all tenants.")
        selected = session.keeper.events.after(None if after == BEGINNING else after, limit=most)
    else:
        selected = session.keeper.events.select(
            tenant=None if ref else tenant, ref=ref, type=kind, since=since, limit=most, newest_first=newest_first
        )
    views = session.closed_at_end(selected)
    if export is not None:
        _export(session, views, export)
    elif table:
        shown = list(views)
        if shown:
            session.output.print(eventlog.event_table(shown))
        else:
            session.output.say("no events")
    else:
        session.output.lines(lines.record(event) for event in views)
    if after == BEGINNING or (after is None and (ref is not None or since is not None or not newest_first)):
        cut = session.keeper.events.cut(ref=ref, since=since)
        if cut is not None:
            session.output.say(eventlog.cut_words(cut))


def _export(session: Session, views: Iterable[EventView], target: str) -> None:
    if target == "-":
        for event in views:
            sys.stdout.buffer.write(lines.line(event))
        sys.stdout.buffer.flush()
        return
    path = Path(target) if target else _default_file(session)
    count = 0
    with (
        targets.written(path, make_folder=True),
        targets.opened(path, mode=0o640, named=bool(target)) as file,
    ):  # the group of the folder may read it, as a log
        for count, event in enumerate(views, start=1):  # noqa: B007  it is read after the loop
            file.write(lines.line(event))
    if session.output.as_json:
        session.output.document({"events": count, "file": str(path)})
    else:
        session.output.say(f"{format_count(count, 'event')} in {path}")


def _default_file(session: Session) -> Path:
    if session.settings.log.dir is None:
        raise InvalidInput(
            field="--export", value="", problem="there is no LOG_DIR to write into", fix="Set LOG_DIR, or give a FILE."
        )
    return session.settings.log.dir / FILE_NAME


@events.verb
@click.command(cls=TierCommand)
@click.option(
    "--before", type=CalendarMonth(), required=True, help="The months before this one, such as 2026-03; in UTC."
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder for the files, a file a month; back it up as you do the catalog.",
)
@params.dry_run_option
@params.yes_option
@pass_session
def detach(session: Session, *, before: datetime, folder: Path, dry_run: bool, yes: bool) -> None:
    """Move old months of the audit log out of the catalog, into files that are read back before.

    What explain needs stays in the catalog. A month that cannot go yet stays, with the reason, as do those after it.
    """
    keeper, out = session.keeper, session.output

    def detached(*, dry: bool) -> Iterable[DetachedMonth]:
        with out.progress("reading" if dry else "writing and reading events") as advance, targets.written(folder):
            yield from keeper.events.detach(
                before=before, folder=folder, caller=session.caller, dry_run=dry, progress=advance
            )

    if not dry_run and not yes:
        planned = [month for month in detached(dry=True) if month.outcome is Outcome.DONE]
        number = sum(month.events for month in planned)
        what = f"{format_count(number, 'event')} of {format_count(len(planned), 'month')}"
        if planned:
            questions.confirm(f"Move {what} out of the catalog, into {folder}?")
    months = list[DetachedMonth]()
    try:
        months.extend(detached(dry=dry_run))
    finally:
        if months:
            _print_months(session, months)
    if not months:
        _say_none(session, before)
    outside = keeper.events.outside(before=before)
    if outside:
        out.say(
            f"{format_count(outside, 'event')} before that: left in place, as their month had no partition when written"
        )
    if any(month.outcome is Outcome.REFUSED for month in months):
        click.get_current_context().exit(messages.SOME_FAILED)


def _say_none(session: Session, before: datetime) -> None:
    if session.output.as_json:
        session.output.array([])
    else:
        session.output.say(f"no month before {before:%Y-%m} is in the catalog")


def _print_months(session: Session, months: list[DetachedMonth]) -> None:
    if session.output.as_json:
        session.output.array(months)
        return
    table = output.table("month", "outcome", "events", "file", "reason", right=["events"], fold=["file", "reason"])
    for month in months:
        done = "would be detached" if month.dry_run else "detached"
        outcome = done if month.outcome is Outcome.DONE else month.outcome.value
        table.add_row(month.month, output.word(outcome), str(month.events), month.file, month.detail)
    session.output.print(table)
