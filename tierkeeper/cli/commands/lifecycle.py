import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import click

from tierkeeper.base.errors import CatalogRestored, DeletesDisabled, SweepAtWork, TierkeeperError
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.cli.support import messages, output, params, plans, statistics
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.plans import PlanItemView
from tierkeeper.values.runs import SweepResult
from tierkeeper_client import contract, texts


@click.group(cls=TierGroup)
def lifecycle() -> None:
    """Run, plan, apply or sum up the lifecycle."""


lifecycle.add_command(plans.plan)
lifecycle.add_command(plans.plans)
lifecycle.add_command(plans.apply)


@lifecycle.command()
@click.option("--live/--dry-run", default=False, help="Do it, or (the default) only say what would be done.")
@params.tenant_option
@click.option("--enqueue", is_flag=True, help="With --live: let the workers do it.")
@pass_session
def run(session: Session, *, live: bool, tenant: str | None, enqueue: bool) -> None:
    """Bring every artifact that is due to where its policy wants it. A dry run unless --live; -v lists each."""
    if not live:
        if enqueue:
            raise click.UsageError("A dry run happens here; leave out --enqueue, or add --live.")
        _dry_run(session, tenant)
        return
    if enqueue:
        if tenant is not None:
            raise click.UsageError(
                "The workers' sweep is for all tenants; leave out --enqueue, or --tenant (and TIERKEEPER_TENANT)."
            )
        messages.send_sweeps(session, [contract.TaskName.ROTATE, contract.TaskName.COLLECT])
        return
    _live(session, tenant)


@lifecycle.command(short_help="Count copies by tier and what is due; the last runs.")
@params.tenant_option
@pass_session
def summary(session: Session, *, tenant: str | None) -> None:
    """Say how many copies lie in each tier, how much is due now, and what the last runs did."""
    stats = session.keeper.tiers.stats(tenant=tenant)
    due = session.keeper.sweeps.due(tenant=tenant)
    runs = session.keeper.runs.latest(limit=5)
    if session.output.as_json:
        session.output.document({"tiers": stats, "due": due, "last_runs": runs})
        return
    session.output.print(statistics.tier_table(stats), "", f"due now: {format_count(due, 'artifact')}", "")
    if runs:
        session.output.print(statistics.run_table(runs))


def _dry_run(session: Session, tenant: str | None) -> None:
    started = time.monotonic()
    counts: Counter[str] = Counter()
    blocked: Counter[str] = Counter()
    size = 0
    shown: list[PlanItemView] = []
    with session.output.progress("planning") as advance:
        for item in session.closed_at_end(session.keeper.plans.due(tenant=tenant)):
            counts[_label(item)] += 1
            blocked.update(item.blocked)
            size += item.size if item.action == "move" else 0
            if session.output.verbose and len(shown) < plans.ROWS:
                shown.append(item)
            advance(1)
    if session.output.as_json:
        items = {"items": shown} if session.output.verbose else {}
        session.output.document({**_summary(counts, size, 0, started, dry_run=True), "blocked": blocked, **items})
        return
    if shown:
        plans.print_items(session, shown)
        session.output.print("")
    _print_counts(session, counts, size, 0, started)
    for reason, count in blocked.items():
        session.output.warn(f"{count} would be left: {reason}")
    _say_waiting(session)
    session.output.say("a dry run: nothing was changed; --live does it")


def _live(session: Session, tenant: str | None) -> None:
    started = time.monotonic()
    counts: Counter[str] = Counter()
    size = errors = 0
    failures: list[Any] = []
    keeper = session.keeper
    unread = _recompute(session)
    identity, busy = _begin(session, tenant)
    with session.output.progress("moving", total=keeper.sweeps.due(tenant=tenant)) as advance:
        for result in _steps(session, identity, advance):
            counts.update(result.counts)
            size += result.bytes
            errors += result.errors
            failures.extend(result.failures)
    collected, off = _collect(session)
    refused = [error for error in (busy, off, unread) if error is not None]
    counts.update(collected.counts)
    errors += collected.errors
    failures.extend(collected.failures)
    if session.output.as_json:
        details = {"run": identity, "failures": failures}
        session.output.document({**_summary(counts, size, errors, started, dry_run=False), **details})
    else:
        for failure in failures:
            session.output.warn(f"{failure.ref}: {failure.error['message']}")
        _print_counts(session, counts, size, errors, started)
        if collected.bytes:
            session.output.print(f"{output.size(collected.bytes)} of doomed copies are freed")
        _say_waiting(session)
    for error in refused[1:]:
        session.output.warn(texts.first_line(str(error)))
    if refused:
        raise refused[0]
    if errors:
        click.get_current_context().exit(messages.SOME_FAILED)


def _recompute(session: Session) -> Exception | None:
    """Finish what policy edits left, as nothing else does without workers; return an edit's error, to be raised last.

    Until it is mended, what the edit wants sooner is moved at its old time.
    """
    try:
        session.keeper.sweeps.recompute()
    except Exception as error:  # noqa: BLE001  one bad edit keeps nothing else from being moved
        return error
    return None


def _begin(session: Session, tenant: str | None) -> tuple[UUID | None, SweepAtWork | None]:
    """Begin a run; return it, or the error that another is at work, to be raised once ripe copies are collected."""
    try:
        return session.keeper.sweeps.rotate(caller=session.caller, tenant=tenant), None
    except SweepAtWork as busy:
        return None, busy


def _collect(session: Session) -> tuple[SweepResult, TierkeeperError | None]:
    """Collect ripe copies; return a refusal instead of raising it, so that the moves are reported first."""
    with session.output.progress("collecting") as advance:
        try:
            return session.keeper.sweeps.collect(caller=session.caller, progress=advance), None
        except (DeletesDisabled, CatalogRestored) as refused:
            return SweepResult({}, 0, 0, more=True), refused


def _say_waiting(session: Session) -> None:
    """Print the runs whose deletions the brake stopped, and how to decide: these are not counted as due."""
    for waiting in session.keeper.runs.latest(kind=RunKind.PURGE):
        if waiting.state is RunState.AWAITING_APPROVAL:
            run = output.short_id(waiting.id)
            session.output.say(f"run {run} awaits approval: {waiting.reason}")
            session.output.say(
                f"look with `tierkeeper runs show {run}`, then `tierkeeper runs approve {run} --reason WHY`,"
                f" or `tierkeeper runs reject {run} --reason WHY`"
            )


def _steps(session: Session, identity: UUID | None, advance: Any) -> Iterator[SweepResult]:  # noqa: ANN401  the progress
    more = identity is not None
    while more and identity is not None:
        result = session.keeper.sweeps.converge_due(identity, progress=advance)
        yield result
        more = result.more


def _label(item: PlanItemView) -> str:
    """Return the name under which a run counts the item."""
    if item.blocked:
        return "refused"
    moved = f"promoted_to_{'_and_'.join(sorted(item.target))}"
    return {"delete": "deleted", "destroy": "purged", "move": moved}.get(item.action, "unchanged")


def _summary(counts: Counter[str], size: int, errors: int, started: float, *, dry_run: bool) -> dict[str, Any]:
    """Return the counts as JSON; those that readers of such reports expect are present even if 0."""
    return {
        **{name: counts.get(name, 0) for name in ("promoted_to_warm", "promoted_to_cold", "deleted", "purged")},
        "total_errors": errors,
        "job_duration_seconds": round(time.monotonic() - started, 3),
        "dry_run": dry_run,
        "bytes": size,
        "counts": dict(counts),
    }


def _print_counts(session: Session, counts: Counter[str], size: int, errors: int, started: float) -> None:
    table = output.table("what", "artifacts", right=["artifacts"])
    for what, count in sorted(counts.items()):
        table.add_row(statistics.label_words(what), str(count))
    took = output.span(timedelta(seconds=time.monotonic() - started))
    if counts:
        session.output.print(table, "")
    session.output.print(
        f"{sum(counts.values()) or 'nothing'} due, {output.size(size)}, {format_count(errors, 'error')}, in {took}"
    )
