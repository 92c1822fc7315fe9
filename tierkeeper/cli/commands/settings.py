import click
from rich.text import Text

from tierkeeper.cli.support import output
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.settings.settings import effective


@click.command(cls=TierCommand)
@click.option("--changed", is_flag=True, help="Only those that are not at their default.")
@pass_session
def settings(session: Session, *, changed: bool) -> None:
    """Print the effective settings and where each comes from; secrets are masked."""
    rows = [row for row in effective(session.settings) if not (changed and row.source == "default")]
    if session.output.as_json:
        session.output.document(
            [{"name": row.name, "value": row.value, "source": row.source, "secret": row.secret} for row in rows]
        )
        return
    table = output.table("setting", "value", "from", fold=["value", "from"])
    for row in rows:
        source = Text(row.source, style="bright_black" if row.source == "default" else "green")
        table.add_row(row.name, Text(str(row.value)), source)
    session.output.print(table)
