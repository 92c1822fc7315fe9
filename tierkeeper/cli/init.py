import click

from tierkeeper.cli.groups import TierCommand
from tierkeeper.cli.session import Session, pass_session


@click.command(cls=TierCommand)
@pass_session
def init(session: Session) -> None:
    """Make or upgrade the catalog, and make what the tiers need (folders, buckets). Again: changes nothing."""
    done = session.initialize()
    if session.output.as_json:
        session.output.document({"made": done})
    else:
        session.output.print(*(done or ["everything was there"]))
