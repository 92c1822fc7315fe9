from typing import Final

import click

from tierkeeper.cli.support import output, params
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.health import Condition
from tierkeeper.values.recovery import Acceptance

WRONG: Final = 8
STYLES: Final = {Condition.OK: "green", Condition.ATTENTION: "yellow", Condition.BAD: "bold red"}


@click.command(cls=TierCommand)
@click.option("--all", "everything", is_flag=True, help="All events, not only those of what changed in the last day.")
@click.option(
    "--accept-restore",
    is_flag=True,
    help="Go on with a restored or rebuilt catalog: take over what only the stores have, then let collect go on.",
)
@click.option(
    "--mend-times",
    is_flag=True,
    help="Mend artifacts whose rows cannot be read, and clear times from the future.",
)
@click.option(
    "--reason", type=params.REASON, help="With --accept-restore and --mend-times: why; it stands in the audit log."
)
@params.dry_run_option
@pass_session
def doctor(
    session: Session, *, everything: bool, accept_restore: bool, mend_times: bool, reason: str | None, dry_run: bool
) -> None:
    """Ask the catalog whether the invariants hold, and say what to do where one does not.

    It changes nothing without --accept-restore or --mend-times. The exit code is 0 where nothing is wrong, 8 where
    something is.
    """
    if accept_restore and mend_times:
        raise click.UsageError("Give --accept-restore or --mend-times, not both.")
    if (accept_restore or mend_times) and not reason and not dry_run:
        raise click.UsageError("--accept-restore and --mend-times need --reason: it stands in the audit log.")
    if accept_restore:
        _accept(session, reason, dry_run=dry_run)
        return
    if mend_times:
        _mend(session, reason, dry_run=dry_run)
        return
    if reason is not None or dry_run:
        raise click.UsageError("--reason and --dry-run are for --accept-restore and --mend-times.")
    checks = list(session.keeper.recovery.examine(everything=everything))
    if session.output.as_json:
        session.output.document(checks)
    else:
        table = output.table("check", "", "found", "what to do", fold=["found", "what to do"])
        for check in checks:
            table.add_row(
                check.check,
                output.Text(check.condition.value, style=STYLES[check.condition]),
                check.found,
                check.advice,
            )
        session.output.print(table)
    if any(check.condition is Condition.BAD for check in checks):
        click.get_current_context().exit(WRONG)


def _accept(session: Session, reason: str | None, *, dry_run: bool) -> None:
    with session.output.progress("comparing with the stores") as advance:
        accepted = session.keeper.recovery.accept_restore(
            caller=session.caller, reason=reason or "", dry_run=dry_run, progress=advance
        )
    if session.output.as_json:
        session.output.document(accepted)
    else:
        _print(session, accepted)


def _mend(session: Session, reason: str | None, *, dry_run: bool) -> None:
    mended = list(session.keeper.recovery.mend(caller=session.caller, reason=reason or "", dry_run=dry_run))
    cleared = session.keeper.recovery.clear_future(caller=session.caller, reason=reason or "", dry_run=dry_run)
    if session.output.as_json:
        session.output.document({"mended": mended, "cleared": cleared, "dry_run": dry_run})
        return
    if mended:
        table = output.table("artifact", "could not be read", fold=["artifact", "could not be read"])
        for each in mended:
            table.add_row(str(each.ref), ", ".join(each.columns))
        session.output.print(table)
    would = "would be " if dry_run else ""
    session.output.say(f"artifacts {would}mended: {len(mended)}")
    if mended:
        session.output.say("they stay parked until `tierkeeper parked retry`: nothing is due by being mended")
    for name, count in cleared.items():
        session.output.say(f"{name} {would}cleared: {count}")


def _print(session: Session, accepted: Acceptance) -> None:
    out = session.output
    if accepted.reason is None:
        out.say(f"nothing to accept: the catalog is trusted, at epoch {accepted.epoch}")
        return
    epoch = None if accepted.epoch is None else str(accepted.epoch)
    counts = ((what, str(count)) for what, count in accepted.counts.items())
    out.print(output.pairs([("was not trusted", accepted.reason), *counts, ("epoch", epoch)]))
    if accepted.dry_run:
        out.say("a dry run: nothing was changed; without --dry-run it is done")
    else:
        out.say("accepted: collect goes on; what came back only from the stores is held until it is approved")
