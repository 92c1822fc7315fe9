import click

from tierkeeper.cli.support import params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@click.option(
    "--adopt", metavar="TIER", help="Take over the place of TIER although it has no mark, or another's; needs --reason."
)
@click.option(
    "--lost",
    is_flag=True,
    help="With --adopt: although none of its copies is there; they are made anew from elsewhere.",
)
@click.option("--reason", type=params.REASON, help="With --adopt: why; it stands in the audit log.")
@pass_session
def init(session: Session, *, adopt: str | None, lost: bool, reason: str | None) -> None:
    """Make or upgrade the catalog, make what the tiers need (folders, buckets, tables), and mark them as its own.

    Again: changes nothing. A place that has another mark, or none although the catalog has copies in the tier that are
    not there, is refused: it is not mounted, mistyped, or another host's.
    """
    if adopt is not None:
        if not reason:
            raise click.UsageError("--adopt needs --reason: it stands in the audit log.")
        session.check_tier(adopt)
        session.take_over(adopt, reason=reason, lost=lost)
        session.output.say(f"tier {adopt} is marked as this catalog's")
        return
    if lost or reason is not None:
        raise click.UsageError("--lost and --reason are for --adopt.")
    done = session.initialize()
    if session.output.as_json:
        session.output.document({"made": done})
    else:
        session.output.print(*(done or ["everything was there"]))
