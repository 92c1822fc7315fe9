from dataclasses import replace

import click

from tierkeeper.cli.support import listing, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import Filter


@click.command(cls=TierCommand)
@click.argument("path", default="")
@params.tenant_option
@click.option("-a", "--all", "everything", is_flag=True, help="Deleted and purged ones too.")
@click.option("--all-versions", is_flag=True, help="Every version, not only the latest.")
@params.limit_option
@pass_session
def ls(
    session: Session, *, path: str, tenant: str | None, everything: bool, all_versions: bool, limit: int | None
) -> None:
    """List the artifacts below PATH: TENANT, TENANT/WORKFLOW or TENANT/WORKFLOW/BEGINNING-OF-NAME."""
    parts = path.split("/", 2) if path else []
    if tenant is not None and parts[:1] != [tenant]:
        parts = [tenant, *"/".join(parts).split("/", 1)] if parts else [tenant]
    padded = [part or None for part in (*parts, "", "", "")][:3]
    selected = Filter(tenant=padded[0], workflow=padded[1], prefix=padded[2], all_versions=all_versions)
    selected = replace(selected, state=None) if everything else selected
    listing.print_list(session, params.Chosen(filter=selected, given=bool(path), limit=limit))
