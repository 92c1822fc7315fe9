from typing import Final

import click

from tierkeeper.cli.support import output
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.health import Condition, Vital

UNHEALTHY: Final = 8
STYLES: Final = {Condition.OK: "green", Condition.ATTENTION: "yellow", Condition.BAD: "bold red"}


@click.command(cls=TierCommand)
@click.option("--no-tiers", is_flag=True, help="Do not ask the stores of the tiers.")
@pass_session
def health(session: Session, *, no_tiers: bool) -> None:
    """Say whether the work gets done: what is overdue, how late, whether messages and Beat come through.

    The exit code is 0 where nothing is bad, 8 where something is, 6 where the catalog does not answer.
    """
    report = session.keeper.health.check(tiers=not no_tiers)
    if session.output.as_json:
        session.output.document({"healthy": report.healthy, "problems": report.problems, "vitals": report.vitals})
    else:
        table = output.table("what", "", "value", "remark", fold=["remark"])
        for vital in report.vitals:
            condition = output.Text(vital.condition.value, style=STYLES[vital.condition])
            table.add_row(vital.name, condition, _shown(vital), vital.detail)
        session.output.print(table)
    if not report.healthy:
        click.get_current_context().exit(UNHEALTHY)


def _shown(vital: Vital) -> str:
    return "" if vital.value is None else f"{round(vital.value, 3):,.10g} {vital.unit}".rstrip()
