import click

from tierkeeper.base.states import ArtifactState
from tierkeeper.cli.support import bulk, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client import contract


@click.command(cls=TierCommand)
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]…")
@params.verb_options
@params.filter_options(state=ArtifactState.DELETED)
@pass_session
def undelete(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    chosen: params.Chosen,
    how: params.VerbOptions,
) -> None:
    """Take a purge back while the undo window lasts.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options.
    """
    targets = bulk.targets(session, artifacts, version=how.version, chosen=chosen)
    verb = bulk.Verb("undelete", contract.TaskName.UNDELETE, contract.UndeleteArgs, "undeleting")
    bulk.carry_out(session, verb, targets, how)
