from typing import TYPE_CHECKING, Final

import click

from tierkeeper.base.secrets import masked
from tierkeeper.cli.support import opening, output
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session

if TYPE_CHECKING:
    from tierkeeper.settings.show import SettingRow

UNUSABLE: Final = 4  # the exit code of a setting that cannot be used


@click.command(cls=TierCommand)
@click.option("--changed", is_flag=True, help="Only those that are not at their default.")
@pass_session
def settings(session: Session, *, changed: bool) -> None:
    """Print the effective settings and where each comes from, and whether each tier's URL can be used.

    Secrets are masked. URLs and options of catalog and tiers are judged without asking a server; the exit code is 4
    where one cannot be used.
    """
    problems = {name: masked(str(error)) for name, error in opening.Keeper.unusable_urls(session.settings).items()}
    rows = [
        row
        for row in opening.effective(session.settings)
        if row.name in problems or not (changed and row.source == "default")
    ]
    if session.output.as_json:
        session.output.document(
            [
                {
                    "name": row.name,
                    "value": row.value,
                    "source": row.source,
                    "secret": row.secret,
                    "problem": problems.get(row.name),
                }
                for row in rows
            ]
        )
    else:
        tiers = session.settings.tiers
        _print(session, rows, {tier: problems.get(f"tiers.{tier}.url", "can be used") for tier in tiers})
        if "catalog.url" in problems:
            session.output.warn(problems["catalog.url"])
    if problems:
        click.get_current_context().exit(UNUSABLE)


def _print(session: Session, rows: "list[SettingRow]", remarks: dict[str, str]) -> None:
    table = output.table("setting", "value", "from", fold=["value", "from"])
    for row in rows:
        source = output.Text(row.source, style="bright_black" if row.source == "default" else "green")
        table.add_row(row.name, output.Text(str(row.value)), source)
    tiers = output.table("tier", "its URL", fold=["its URL"])
    for tier, text in remarks.items():
        tiers.add_row(output.word(tier), text)
    session.output.print(table, tiers)
