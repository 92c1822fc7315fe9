import click

from tierkeeper.cli.support import params, statistics
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@params.tenant_option
@pass_session
def stats(session: Session, *, tenant: str | None) -> None:
    """Count copies and bytes by tier; doomed copies are those that wait to be deleted; then what is tried again."""
    found = session.keeper.tiers.stats(tenant=tenant)
    if session.output.as_json:
        session.output.document(found)
    else:
        session.output.print(statistics.tier_table(found), *statistics.retrying(found))
