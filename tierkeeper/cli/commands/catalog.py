import click

from tierkeeper.cli.support import messages, output, params, questions
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.recovery import RebuildResult
from tierkeeper_client import contract


@click.group(cls=TierGroup)
def catalog() -> None:
    """Dump the catalog into the coldest tier, make it again from there, or bring it back to an earlier revision."""


@catalog.command()
@click.option("--enqueue", is_flag=True, help="Let the workers do it.")
@pass_session
def dump(session: Session, *, enqueue: bool) -> None:
    """Write the whole catalog, and the events since the last dump, into the coldest tier; check it; drop old ones."""
    if enqueue:
        messages.send_sweeps(session, [contract.TaskName.DUMP])
        return
    with session.output.progress("dumping") as advance:
        result = session.keeper.recovery.dump(caller=session.caller, progress=advance)
    if session.output.as_json:
        session.output.document(result)
        return
    rows = [(what, str(count)) for what, count in result.counts.items()]
    session.output.print(output.pairs([*rows, ("size", output.size(result.bytes))]))


@catalog.command()
@pass_session
def dumps(session: Session) -> None:
    """List the dumps there are; an interrupted one is not complete and does not count."""
    rows = session.keeper.recovery.dumps()
    if session.output.as_json:
        session.output.document(rows)
        return
    table = output.table("dump", "of", "complete", "size", right=["size"])
    for row in rows:
        table.add_row(row.name, output.moment(row.at), "yes" if row.complete else "no", output.size(row.size))
    if rows:
        session.output.print(table)
    else:
        session.output.say("no dumps yet; `tierkeeper catalog dump` makes one")


@catalog.command()
@click.argument("revision")
@params.yes_option
@pass_session
def downgrade(session: Session, *, revision: str, yes: bool) -> None:
    """Bring the catalog back to an earlier revision, for an earlier version of tierkeeper.

    Stop everything else that uses the catalog before. What the earlier version has no place for is forgotten.
    """
    if not yes:
        questions.confirm(f"Bring the catalog back to revision {revision}?")
    before = session.downgrade(revision)
    if session.output.as_json:
        session.output.document({"from": before, "to": revision})
        return
    session.output.say(f"the catalog was at revision {before} and is at {revision}; install the version that needs it")


@catalog.command()
@click.option("--dump", "name", metavar="DUMP", help="From this dump instead of the newest complete one.")
@click.option("--objects-only", is_flag=True, help="From the objects in the tiers alone, as if there were no dump.")
@click.option("--approve", is_flag=True, help="Afterwards: release what was found only in the stores from its hold.")
@click.option("--reason", type=params.REASON, help="With --approve: why; it stands in the audit log.")
@params.dry_run_option
@pass_session
def rebuild(
    session: Session, *, name: str | None, objects_only: bool, approve: bool, reason: str | None, dry_run: bool
) -> None:
    """Make an empty catalog again from the newest dump, the events, and what the tiers have.

    What is newer than the dump comes back under a hold named rebuilt: nothing of it expires until --approve. Collect
    pauses until `tierkeeper doctor --accept-restore`. Run again, it goes on where it stopped.
    """
    if name is not None and objects_only:
        raise click.UsageError("--dump and --objects-only contradict each other.")
    if approve:
        if name is not None or objects_only:
            raise click.UsageError("--approve is for afterwards; leave out --dump and --objects-only.")
        _approve(session, reason, dry_run=dry_run)
        return
    with session.output.progress("rebuilding") as advance:
        result = session.keeper.recovery.rebuild(
            caller=session.caller, dump=name, objects_only=objects_only, dry_run=dry_run, progress=advance
        )
    if session.output.as_json:
        session.output.document(result)
    else:
        _print(session, result)


def _approve(session: Session, reason: str | None, *, dry_run: bool) -> None:
    if not reason and not dry_run:
        raise click.UsageError("--approve needs --reason: it stands in the audit log.")
    approved = session.keeper.recovery.approve(caller=session.caller, reason=reason or "", dry_run=dry_run)
    if session.output.as_json:
        session.output.array(approved)
        return
    count = 0
    for artifact in approved:
        count += 1
        session.output.print(output.Text(f"{artifact.ref}: {artifact.reason}"))
    session.output.say(f"{count} {'would be released' if dry_run else 'released'}")


def _print(session: Session, result: RebuildResult) -> None:
    out = session.output
    out.print(
        output.pairs(
            [
                ("dump", result.dump or "none: from the objects alone, or what was left to do"),
                ("of", output.moment(result.taken_at) if result.taken_at else None),
                *((f"{table} rows", str(rows)) for table, rows in result.rows.items() if rows),
                *((what, str(count)) for what, count in result.counts.items()),
            ]
        )
    )
    for name in result.later:
        out.say(
            f"dump {name} has a later time and is not newer: a clock was ahead when it was made, or an older copy of"
            " the catalog made it; --dump takes it"
        )
    if result.dry_run:
        out.say("a dry run: nothing was changed; without --dry-run it is done")
    else:
        out.say("rebuilt; nothing is deleted until `tierkeeper doctor --accept-restore --reason …`")
