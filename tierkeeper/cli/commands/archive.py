from typing import Final

import click

from tierkeeper.cli.support import bulk, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client.contract import ArchiveArgs, TaskName

VERB: Final = bulk.Verb("archive", TaskName.ARCHIVE, ArchiveArgs, "archiving")


@click.command(cls=TierCommand)
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]…")
@params.verb_options
@params.filter_options(tier="--from-tier")
@pass_session
def archive(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    chosen: params.Chosen,
    how: params.VerbOptions,
) -> None:
    """Move artifacts to the coldest tier for good; their policy still says when they are purged.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options.
    """
    targets = bulk.targets(session, artifacts, version=how.version, chosen=chosen)
    bulk.carry_out(session, VERB, targets, how)
