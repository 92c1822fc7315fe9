import click

from tierkeeper.cli.support import params, statistics
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@params.tenant_option
@click.option("--exact", is_flag=True, help="Count each copy of a large catalog too, which may take minutes.")
@pass_session
def stats(session: Session, *, tenant: str | None, exact: bool) -> None:
    """Count copies and bytes by tier; doomed copies are those that wait to be deleted; then what is tried again.

    In a catalog of more than some 60 000 copies the numbers are estimates, some percent off, unless --exact is given.
    """
    found = session.keeper.tiers.stats(tenant=tenant, exact=exact)
    if session.output.as_json:
        session.output.document(found)
    else:
        session.output.print(statistics.tier_table(found), *statistics.retrying(found))
        if not all(tier.exact for tier in found):
            session.output.say("estimates, some percent off: --exact counts each copy")
