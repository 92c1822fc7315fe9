import click

from tierkeeper.cli.support import bulk, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client import contract


@click.command(cls=TierCommand)
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]…")
@click.option("--to", "--to-tier", "to_tier", required=True, help="The tier to move to, hotter or colder.")
@params.verb_options
@params.filter_options(tier="--from-tier")
@pass_session
def promote(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    to_tier: str,
    chosen: params.Chosen,
    how: params.VerbOptions,
) -> None:
    """Move artifacts to another tier until the next phase of their policy begins.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options.
    """
    targets = bulk.targets(session, artifacts, version=how.version, chosen=chosen)
    verb = bulk.Verb("promote", contract.TaskName.PROMOTE, contract.PromoteArgs, "moving")
    bulk.carry_out(session, verb, targets, how, to_tier=to_tier)
