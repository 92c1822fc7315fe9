import click

from tierkeeper.cli.support import listing, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@params.filter_options(state=None)
@click.option("--count", is_flag=True, help="Only say how many.")
@pass_session
def find(session: Session, *, chosen: params.Chosen, count: bool) -> None:
    """Find artifacts; every condition given must hold. Patterns are those of a shell; quote them.

    In a pattern * is any characters, / too, ? any one, [ab] or [a-c] one of these, [!ab] any other one, [[] a [ itself.
    """
    if not count:
        listing.print_list(session, chosen)
        return
    session.check_tier(chosen.filter.tier)
    found = session.keeper.artifacts.count(chosen.filter)
    if session.output.as_json:
        session.output.document({"count": found})
    else:
        session.output.print(str(found))
