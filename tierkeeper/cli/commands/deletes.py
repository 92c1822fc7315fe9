import click

from tierkeeper.cli.support import output, params
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.deletes import DeletesView

reason_option = click.option("--reason", type=params.REASON, required=True, help="Why; it stands in the audit log.")


@click.group(cls=TierGroup)
def deletes() -> None:
    """Switch physical deletes off and on, for all tenants and tiers.

    Off: collect and reconcile delete no bytes. All else goes on: copies that are not wanted are marked and wait.
    """


@deletes.command()
@pass_session
def status(session: Session) -> None:
    """Say whether bytes may be deleted; who said so, when and why."""
    _print(session, session.keeper.deletes.show())


@deletes.command()
@reason_option
@pass_session
def off(session: Session, *, reason: str) -> None:
    """Delete no bytes from now on. What a collect has marked already goes."""
    _print(session, session.keeper.deletes.switch(enabled=False, caller=session.caller, reason=reason))


@deletes.command()
@reason_option
@pass_session
def on(session: Session, *, reason: str) -> None:
    """Let collect and reconcile delete again; the next ones take up what waited."""
    _print(session, session.keeper.deletes.switch(enabled=True, caller=session.caller, reason=reason))


def _print(session: Session, switch: DeletesView) -> None:
    if session.output.as_json:
        session.output.document(switch)
        return
    rows = [
        ("deletes", "on" if switch.enabled else "off"),
        ("by", switch.by),
        ("why", switch.reason),
        ("since", output.moment(switch.at)),
    ]
    session.output.print(output.pairs(rows))
