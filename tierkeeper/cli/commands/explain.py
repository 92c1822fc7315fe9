import click

from tierkeeper.cli.support import explanation, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session


@click.command(cls=TierCommand)
@click.argument("artifact")
@params.tenant_option
@params.version_option
@pass_session
def explain(session: Session, *, artifact: str, tenant: str | None, version: int | None) -> None:
    """Say why ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]) is where it is, what blocks it, what comes next, and when."""
    ref = params.with_version(params.parse_ref(artifact, tenant=tenant), version)
    found = session.keeper.artifacts.explain(ref)
    if session.output.as_json:
        session.output.document(found)
    else:
        explanation.print_explanation(session, found)
