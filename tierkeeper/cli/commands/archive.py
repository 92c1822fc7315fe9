import click

from tierkeeper.cli.support import bulk, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client import contract


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
    verb = bulk.Verb("archive", contract.TaskName.ARCHIVE, contract.ArchiveArgs, "archiving")
    bulk.carry_out(session, verb, targets, how)
