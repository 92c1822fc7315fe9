from contextlib import ExitStack
from pathlib import Path

import click

from tierkeeper.base import callers, clock
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.demo import content, steps
from tierkeeper.cli.support import homelock, opening, output
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client.identifiers import check_segment


@click.command(cls=TierCommand)
@click.option("--count", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="How many files.")
@click.option("--force-age", is_flag=True, help="Give them ages from none to 120 days; without it they are all new.")
@click.option("-n", "--dry-run", is_flag=True, help="Store nothing; say what would be stored and where it would go.")
@click.option("--tenant", default="demo", show_default=True, help="Tenant to store them for.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the files from here; by default from this Python's standard library.",
)
@pass_session
def demo(session: Session, *, count: int, force_age: bool, dry_run: bool, tenant: str, folder: Path | None) -> None:
    """Store real files and see them go through hot, warm and cold to purged, by real workers, in half a minute.

    The engine and its clock are the real ones: files get an age when they are stored, and the demo's policy has an
    undo window of seconds. At the end every live artifact is compared with its file, byte for byte.
    """
    check_segment(tenant, field="--tenant")
    settings = session.settings
    items = content.items(
        folder,
        count=count,
        tenant=tenant,
        workflow=content.workflow_name(clock.now()),
        aged=force_age,
        days=settings.retention,
    )
    if len(items) < count:
        session.output.say(f"only {format_count(len(items), 'file')} to take")
    if dry_run:
        _plan(session, items)
        return
    with ExitStack() as stack:
        lock = stack.enter_context(homelock.lock_home(settings, by="tierkeeper demo"))
        resolved = steps.own_broker(session)
        stack.enter_context(steps.worker(session, resolved, lock))
        client = stack.enter_context(opening.client_of(resolved, caller=callers.DEMO))
        steps.Demo(session, client, items).run()


def _plan(session: Session, items: "list[content.DemoFile]") -> None:
    days = session.settings.retention
    sorted_out = content.by_tier(items, days)
    if session.output.as_json:
        session.output.document(
            {
                "dry_run": True,
                "items": [
                    {
                        "file": str(item.path),
                        "ref": item.ref,
                        "size": item.size,
                        "age_days": round(item.age.total_seconds() / 86400, 2),
                        "goes_to": content.expected_tier(item.age, days),
                    }
                    for item in items
                ],
            }
        )
        return
    table = output.table("after the sweep in", "files", "bytes", "for example", right=["files", "bytes"])
    for tier, inside in sorted_out.items():
        example = f"{inside[0].ref.name}, {output.span(inside[0].age)} old" if inside else "-"
        name = output.word(tier or "purged")
        table.add_row(name, str(len(inside)), output.size(sum(item.size for item in inside)), example)
    session.output.print(table, "", content.policy_text("demo", items[0].ref.tenant, days).rstrip())
    session.output.say("a dry run: nothing was stored")
