from typing import Final

import click

from tierkeeper.cli import bulk, params
from tierkeeper.cli.groups import TierCommand
from tierkeeper.cli.session import Session, pass_session
from tierkeeper_client.contract import PurgeArgs, TaskName

VERB: Final = bulk.Verb("purge", TaskName.PURGE, PurgeArgs, "purging")


@click.command(cls=TierCommand)
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]…")
@params.yes_option
@params.verb_options
@params.filter_options()
@pass_session
def purge(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    yes: bool,
    chosen: params.Chosen,
    how: params.How,
) -> None:
    """Delete artifacts: they can be undeleted until the undo window of their policy ends, then they are gone for good.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options.
    """
    found = bulk.targets(session, artifacts, version=how.version, chosen=chosen)
    if not (yes or how.dry_run):
        bulk.confirm(session, found, what="Purge")
    bulk.carry_out(session, VERB, found, how)
