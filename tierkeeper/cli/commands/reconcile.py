from typing import TYPE_CHECKING, Final

import click

from tierkeeper.base.states import RunState
from tierkeeper.cli.support import messages, output, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.findings import Finding, FindingKind, ReconcileResult
from tierkeeper_client import contract

if TYPE_CHECKING:
    from rich.table import Table

ROWS: Final = 500  # findings that a table shows
STOPPED: Final = 5


@click.command(cls=TierCommand)
@click.option("--tier", "tiers", multiple=True, help="Only this tier; may be repeated.")
@params.dry_run_option
@click.option("--enqueue", is_flag=True, help="Let the workers do it.")
@pass_session
def reconcile(session: Session, *, tiers: tuple[str, ...], dry_run: bool, enqueue: bool) -> None:
    """Compare the catalog and the stores both ways; repair, and delete what nobody knows and was seen twice."""
    for tier in tiers:
        session.check_tier(tier)
    if enqueue:
        if tiers or dry_run:
            raise click.UsageError("The workers reconcile every tier, live; leave out --tier and --dry-run.")
        messages.send_sweeps(session, [contract.TaskName.RECONCILE])
        return
    findings: list[Finding] = []
    more = 0

    def note(finding: Finding) -> None:
        nonlocal more
        if session.output.as_json or len(findings) < ROWS:
            findings.append(finding)
        else:
            more += 1

    with session.output.progress("reconciling") as advance:
        result = session.keeper.sweeps.reconcile(
            caller=session.caller, tiers=tiers, dry_run=dry_run, found=note, progress=advance
        )
    if session.output.as_json:
        session.output.document(_document(result, findings, dry_run=dry_run))
    else:
        _print(session, result, findings, more=more, dry_run=dry_run)
    if result.state is RunState.AWAITING_APPROVAL:
        click.get_current_context().exit(STOPPED)
    if result.errors or result.lost:
        click.get_current_context().exit(messages.SOME_FAILED)


def _document(result: ReconcileResult, findings: list[Finding], *, dry_run: bool) -> dict[str, object]:
    return {
        "run": result.run,
        "state": result.state,
        "dry_run": dry_run,
        "held_back": result.held_back,
        "lost": result.lost,
        "errors": result.errors,
        "counts": result.counts,
        "tiers": result.tiers,
        "findings": findings,
    }


def _print(session: Session, result: ReconcileResult, findings: list[Finding], *, more: int, dry_run: bool) -> None:
    out = session.output
    if findings:
        out.print(_findings(findings), "")
    if more:
        out.say(f"and {more} more; -o json lists them all")
    out.print(_tiers(result))
    words = "reported", "not found", "found again", "healed", "orphans deleted"
    done = ", ".join(f"{what} {count}" for what in words if (count := result.counts.get(what)))
    if done:
        out.print("", done)
    if result.lost:
        out.warn(f"LOST: of {result.lost} copies no other copy of the content can be read; `reconcile` says so until")
        out.warn("their bytes are back. See the findings above, and a backup.")
    if result.held_back:
        out.warn(result.held_back)
    if result.run is not None and result.state is RunState.AWAITING_APPROVAL:
        approve = f"tierkeeper runs approve {output.short_id(result.run)} --reason WHY"
        out.warn(f"nothing was done; if it is true: `{approve}`, and reconcile again")
    elif dry_run:
        out.say("a dry run: nothing was changed; without --dry-run it is done")


def _findings(findings: list[Finding]) -> "Table":
    columns = ("tier", "what", "where", "size", "artifact", "would", "why")
    table = output.table(*columns, right=["size"], fold=["where", "artifact", "why"])
    for finding in findings:
        table.add_row(
            output.word(finding.tier),
            finding.kind.value,
            finding.location if finding.version is None else f"{finding.location} ({finding.version})",
            output.size(finding.size),
            str(finding.ref or ""),
            output.word("lost") if finding.lost else finding.action.value,
            finding.reason,
        )
    return table


def _tiers(result: ReconcileResult) -> "Table":
    kinds = list(FindingKind)
    columns = ("tier", "listed", "known", *(kind.value for kind in kinds), "damaged before", "lost")
    table = output.table(*columns, "", right=columns[1:], fold=[""])
    for tier in result.tiers:
        counts = [tier.listed, tier.known, *(tier.found.get(kind, 0) for kind in kinds), tier.known_damaged, tier.lost]
        away = f"away: {tier.away}" if tier.away else f"{tier.unanswered} not answered" if tier.unanswered else ""
        table.add_row(output.word(tier.tier), *(str(count) if count else "-" for count in counts), away)
    return table
