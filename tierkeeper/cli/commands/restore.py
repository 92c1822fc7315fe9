import functools
from dataclasses import replace
from datetime import timedelta
from typing import Final

import click

from tierkeeper.cli.support import bulk, listing, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import ArtifactView
from tierkeeper_client import contract

SECONDS_A_DAY: Final = 86400


@click.command(cls=TierCommand)
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]…")
@click.option(
    "--to",
    "--to-tier",
    "to_tier",
    help="The tier to bring them to; by default the hottest of the policy's first phase.",
)
@click.option("--for", "lasting", type=params.SPAN, help="For so long, such as 3d; by default for good.")
@click.option("--list", "list_only", is_flag=True, help="Only list what can be restored.")
@click.option("--auto-select", is_flag=True, help="Restore the first that can be restored.")
@params.verb_options
@params.filter_options(tier="--from-tier")
@pass_session
def restore(
    session: Session,
    *,
    artifacts: tuple[str, ...],
    to_tier: str | None,
    lasting: timedelta | None,
    list_only: bool,
    auto_select: bool,
    chosen: params.Chosen,
    how: params.VerbOptions,
) -> None:
    """Bring artifacts back to the hottest tier, beside where their policy has them.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options.
    """
    if (list_only or auto_select) and artifacts:
        raise click.UsageError("--list and --auto-select go with a filter, not with artifacts.")
    target = to_tier or next(tier.name for tier in session.keeper.tiers.known() if not tier.is_database)
    away = replace(chosen, keep=functools.partial(_is_away, target))
    if list_only:
        listing.print_list(session, away)
        return
    if auto_select:
        targets = bulk.selected(session, replace(away, limit=1))
    else:
        targets = bulk.targets(session, artifacts, version=how.version, chosen=away)
    days = None if lasting is None else lasting.total_seconds() / SECONDS_A_DAY
    verb = bulk.Verb("restore", contract.TaskName.RESTORE, contract.RestoreArgs, "restoring")
    bulk.carry_out(session, verb, targets, how, to_tier=to_tier, days=days)


def _is_away(tier: str, view: ArtifactView) -> bool:
    return bool(view.tiers) and tier not in view.tiers
