from collections import Counter
from typing import Final

import click

from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import bulk, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client import contract

SAMPLES: Final = 10  # artifacts named in a run that awaits an approval


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
    how: params.VerbOptions,
) -> None:
    """Delete artifacts: they can be undeleted until the undo window of their policy ends, then they are gone for good.

    ARTIFACT is TENANT/WORKFLOW/NAME[@VERSION]; instead of naming them, select some with the filter's options. To select
    more of a tenant than the brake lets policies delete in a day needs an approval (`tierkeeper runs approve`).
    """
    targets = bulk.targets(session, artifacts, version=how.version, chosen=chosen)
    if not (yes or how.dry_run):
        bulk.confirm(session, targets, what="Purge")
    refs = [target.ref for target in targets]
    counts = Counter(ref.tenant for ref in refs)
    if chosen.given and how.dry_run:
        described = bulk.describe(chosen)
        over = session.keeper.artifacts.braked_purge(counts, described=described)
        for tenant, limit in over.items():
            session.output.warn(
                f"the brake would stop this: {format_count(counts[tenant], 'artifact')} of {tenant} at once, and the"
                f" limit is {limit}; it needs an approval (`tierkeeper runs approve`)"
            )
    elif chosen.given:
        session.keeper.artifacts.allow_purge(
            counts,
            described=bulk.describe(chosen),
            samples=[str(ref) for ref in refs[:SAMPLES]],
            caller=session.caller,
        )
    verb = bulk.Verb("purge", contract.TaskName.PURGE, contract.PurgeArgs, "purging")
    bulk.carry_out(session, verb, targets, how)
