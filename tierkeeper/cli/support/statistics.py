"""Tables of tiers and runs, as ``stats``, ``runs`` and ``lifecycle summary`` print them."""

from collections.abc import Iterable

from rich.table import Table

from tierkeeper.cli.support import output
from tierkeeper.values.runs import RunView
from tierkeeper.values.tiers import TierStats


def tier_table(stats: Iterable[TierStats], *, title: str | None = None) -> Table:
    """Return the copies in each tier, present and doomed apart, with a line for their sum."""
    columns = ("tier", "temperature", "copies", "bytes", "doomed", "doomed bytes", "tenants", "unvouched", "not found")
    made = output.table(*columns, title=title, right=[*columns[2:]])
    found = list(stats)
    for one in found:
        made.add_row(
            output.word(one.tier),
            one.temperature,
            str(one.present),
            output.size(one.present_bytes),
            str(one.doomed) if one.doomed else "-",
            output.size(one.doomed_bytes) if one.doomed else "-",
            str(one.tenants),
            str(one.unvouched) if one.unvouched else "-",
            str(one.missed) if one.missed else "-",
        )
    made.add_section()
    made.add_row(
        "all",
        "",
        str(sum(one.present for one in found)),
        output.size(sum(one.present_bytes for one in found)),
        str(sum(one.doomed for one in found)),
        output.size(sum(one.doomed_bytes for one in found)),
        "",
        str(sum(one.unvouched for one in found)),
        str(sum(one.missed for one in found)),
    )
    return made


def run_table(runs: Iterable[RunView]) -> Table:
    """Return runs, one a line, by the end of their ids, which `runs show` takes too."""
    columns = ("run", "kind", "state", "started", "took", "errors", "did")
    made = output.table(*columns, right=["errors"], fold=["did"])
    for run in runs:
        took = None if run.finished_at is None else run.finished_at - run.started_at
        made.add_row(
            output.short_id(run.id),
            run.kind.value,
            output.word(run.state.value),
            output.moment(run.started_at),
            output.span(took),
            str(run.errors) if run.errors else "-",
            ", ".join(f"{what} {count}" for what, count in run.counts.items()) or "nothing",
        )
    return made
