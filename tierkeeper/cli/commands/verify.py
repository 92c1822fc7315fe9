import click

from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import messages, output, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@params.filter_options()
@click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="Instead this share of all copies, such as 0.05: first those that nobody vouches for.",
)
@pass_session
def verify(session: Session, *, chosen: params.Chosen, share: float | None) -> None:
    """Read the copies of artifacts back and check their checksums; without conditions all of them, deleted ones too."""
    if share is not None and (chosen.given or chosen.filter.tenant):
        raise click.UsageError(
            "--share goes over all copies, those first that nobody vouches for; leave out the conditions."
        )
    session.check_tier(chosen.filter.tier)
    selected = chosen.filter if chosen.given or chosen.filter.tenant else None
    with session.output.progress("verifying") as advance:
        result = session.keeper.sweeps.verify(filter=selected, share=share, caller=session.caller, progress=advance)
    if session.output.as_json:
        session.output.document(result)
    else:
        table = output.table("what", "copies", right=["copies"])
        for what, count in result.counts.items():
            table.add_row(what, str(count))
        if result.counts:
            session.output.print(table, "")
        else:
            session.output.say("nothing to verify: no artifact matches")
        session.output.print(f"{output.size(result.bytes)} read, {format_count(result.errors, 'error')}")
        for failure in result.failures:
            session.output.warn(f"{failure.ref}: {failure.error['message']}")
    if result.errors:
        click.get_current_context().exit(messages.SOME_FAILED)
