"""Tables of tiers and runs, as ``stats``, ``runs`` and ``lifecycle summary`` print them."""

from collections.abc import Iterable, Mapping

from rich.table import Table

from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import output
from tierkeeper.values.runs import RunView
from tierkeeper.values.tiers import TierStats


def tier_table(stats: Iterable[TierStats], *, title: str | None = None) -> Table:
    """Return a table of the copies in each tier, present and doomed apart, with a line for their sum."""
    tiers = list(stats)
    columns = ["tier", "temperature", "copies", "bytes", "doomed", "doomed bytes", "tenants", "unvouched", "not found"]
    refused = sum(tier.refused for tier in tiers)
    if refused:  # a column that says nothing of most catalogs takes no room of others
        columns.append("not deleted")
    table = output.table(*columns, title=title, right=columns[2:])
    for tier in tiers:
        table.add_row(
            output.word(tier.tier),
            tier.temperature,
            _about(tier, tier.present),
            output.size(tier.present_bytes),
            str(tier.doomed) if tier.doomed else "-",
            output.size(tier.doomed_bytes) if tier.doomed else "-",
            "-" if tier.tenants is None else str(tier.tenants),
            str(tier.unvouched) if tier.unvouched else "-",
            str(tier.missed) if tier.missed else "-",
            *([str(tier.refused) if tier.refused else "-"] if refused else []),
        )
    table.add_section()
    table.add_row(
        "all",
        "",
        str(sum(tier.present for tier in tiers)),
        output.size(sum(tier.present_bytes for tier in tiers)),
        str(sum(tier.doomed for tier in tiers)),
        output.size(sum(tier.doomed_bytes for tier in tiers)),
        "",
        str(sum(tier.unvouched for tier in tiers)),
        str(sum(tier.missed for tier in tiers)),
        *([str(refused)] if refused else []),
    )
    return table


def _about(tier: TierStats, number: int) -> str:
    return str(number) if tier.exact else f"~{number}"


def retrying(stats: Iterable[TierStats]) -> list[str]:
    """Return a line for each tier whose artifacts failed and are tried again, with the number by the error's code."""
    return [
        f"{tier.tier}: tried again after a failure: {'' if tier.exact else '~'}"
        f"{format_count(sum(tier.retrying.values()), 'artifact')}"
        f" ({', '.join(f'{code} {count}' for code, count in tier.retrying.items())})"
        for tier in stats
        if tier.retrying
    ]


def counts_words(counts: Mapping[str, int]) -> str:
    """Return what a run counted, in words: ``deleted 3, moved to cold 12``."""
    return ", ".join(f"{label_words(what)} {count}" for what, count in counts.items())


def label_words(label: str) -> str:
    """Return what a run counts, in words: ``promoted_to_cold`` is ``moved to cold``."""
    moved = label.removeprefix("promoted_to_")
    return label if moved == label else f"moved to {' and '.join(moved.split('_and_'))}"


def run_table(runs: Iterable[RunView]) -> Table:
    """Return a table of runs, one a line, with the end of each id, which `runs show` accepts too."""
    columns = ("run", "kind", "state", "started", "took", "errors", "did")
    table = output.table(*columns, right=["errors"], fold=["did"])
    for run in runs:
        took = None if run.finished_at is None else run.finished_at - run.started_at
        table.add_row(
            output.short_id(run.id),
            run.kind.value,
            output.word(run.state.value),
            output.moment(run.started_at),
            output.span(took),
            str(run.errors) if run.errors else "-",
            counts_words(run.counts) or "nothing",
        )
    return table
