import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support import eventlog, params, targets
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.events import EventView
from tierkeeper_client import files

TABLE_ROWS: Final = 50
FILE_NAME: Final = "lifecycle_events.jsonl"


@click.command(cls=TierCommand)
@click.argument("artifact", required=False)
@params.tenant_option
@click.option("--type", "kind", help="Only events of this type.")
@click.option("--since", type=params.MOMENT, help="Not before: ISO 8601, or an age such as 2h.")
@params.limit_option
@click.option("--oldest-first", is_flag=True, help="The oldest first; by default the newest.")
@click.option(
    "--export",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help=f"Write them as JSON lines, oldest first, into FILE; without one into {FILE_NAME} in LOG_DIR.",
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
    export: str | None,
) -> None:
    """Read the audit log, of all or of one ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]); -o json prints JSON lines."""
    ref = None if artifact is None else params.parse_ref(artifact, tenant=tenant)
    table = not session.output.as_json and export is None
    newest_first = not oldest_first and export is None
    views = session.closed_at_end(
        session.keeper.events.select(
            tenant=None if ref else tenant,
            ref=ref,
            type=kind,
            since=since,
            limit=limit or (TABLE_ROWS if table else None),
            newest_first=newest_first,
        )
    )
    if export is not None:
        _export(session, views, export)
    elif table:
        shown = list(views)
        if shown:
            session.output.print(eventlog.event_table(shown))
        else:
            session.output.say("no events")
    else:
        session.output.lines(eventlog.record(event) for event in views)


def _export(session: Session, views: Iterable[EventView], target: str) -> None:
    path = Path(target) if target else _default_file(session)
    count = 0
    with (
        targets.written(path, make_folder=True),
        files.replacing(path, mode=0o640) as file,
    ):  # the group of the folder may read it, as a log
        for count, event in enumerate(views, start=1):  # noqa: B007  it is read after the loop
            file.write(json.dumps(eventlog.record(event), ensure_ascii=False).encode() + b"\n")
    if session.output.as_json:
        session.output.document({"events": count, "file": str(path)})
    else:
        session.output.say(f"{count} events in {path}")


def _default_file(session: Session) -> Path:
    if session.settings.log.dir is None:
        raise InvalidInput(
            field="--export", value="", problem="there is no LOG_DIR to write into", fix="Set LOG_DIR, or give a FILE."
        )
    return session.settings.log.dir / FILE_NAME
