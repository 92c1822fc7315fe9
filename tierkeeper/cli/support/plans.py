"""``lifecycle plan``, ``plans`` and ``apply``."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from tierkeeper.base.errors import PlanNotFound
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import Outcome
from tierkeeper.cli.support import messages, output, params, short_ids, targets
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.plans import AppliedItem, PlanItemView

ROWS: Final = 500  # items that a table shows


@click.command(cls=TierCommand, short_help="List what a run would do, now or then, with the reasons.")
@params.tenant_option
@click.option("--as-of", type=params.MOMENT_AHEAD, help="As if it were then: ISO 8601, or 30d for in 30 days.")
@click.option(
    "--policy",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="As if these policies (YAML or JSON) were active.",
)
@click.option("--store", is_flag=True, help="Keep the plan, so that `lifecycle apply` can do exactly this.")
@click.option(
    "--expires", type=params.SPAN, default="7d", show_default=True, help="With --store: how long it can be applied."
)
@params.limit_option
@pass_session
def plan(
    session: Session,
    *,
    tenant: str | None,
    as_of: datetime | None,
    file: Path | None,
    store: bool,
    expires: timedelta,
    limit: int | None,
) -> None:
    """List what a run would do now (or --as-of), artifact by artifact, with the rule and the reason, and sum it up.

    It looks at everything, not only at what is due, and changes nothing.
    """
    keeper = session.keeper
    text = None if file is None else targets.read_text(file)
    view = keeper.plans.view(tenant=tenant, as_of=as_of, policies=text, source=str(file))
    if store:
        if limit is not None:
            raise click.UsageError("A stored plan is whole; leave out --limit.")
        with session.output.progress("planning") as advance:
            kept = keeper.plans.store(view, caller=session.caller, expires=expires, progress=advance)
        if session.output.as_json:
            session.output.document(kept)
            return
        _print_summary(session, kept.summary)
        short = output.short_id(kept.id)
        session.output.print("", f"plan {short}, to be applied until {output.moment(kept.expires_at)}")
        session.output.say(f"try it with `tierkeeper lifecycle apply {short} --dry-run`, then without --dry-run")
        return
    summary = keeper.plans.summary()
    items = session.closed_at_end(keeper.plans.items(view, summary, limit=limit))
    if session.output.as_json:
        session.output.array(items)
        return
    print_items(session, list(islice(items, ROWS)))
    rest = sum(1 for _ in items)
    if rest:
        session.output.say(f"and {rest} more; -o json lists them all")
    session.output.print("")
    _print_summary(session, keeper.plans.sums(view, summary))


@click.command(cls=TierCommand)
@pass_session
def plans(session: Session) -> None:
    """List the latest stored plans."""
    stored = session.keeper.plans.latest()
    if session.output.as_json:
        session.output.document(stored)
        return
    columns = ("plan", "as of", "by", "until", "applied by", "would")
    table = output.table(*columns, fold=["by", "applied by", "would"])
    for plan in stored:
        would = Counter[str]()
        for line in plan.summary.get("rules", ()):
            would[line["action"]] += line["artifacts"]
        for line in plan.summary.get("refused", ()):
            would["refused"] += line["artifacts"]
        table.add_row(
            output.short_id(plan.id),
            output.moment(plan.as_of),
            plan.by,
            output.moment(plan.expires_at),
            "" if plan.applied_by is None else f"run {output.short_id(plan.applied_by)}",
            ", ".join(f"{what} {count}" for what, count in sorted(would.items())) or "nothing",
        )
    session.output.print(table if table.rows else "no plans yet")


@click.command(cls=TierCommand)
@click.argument("plan")
@params.dry_run_option
@pass_session
def apply(session: Session, *, plan: str, dry_run: bool) -> None:
    """Do what a stored PLAN says to each artifact that is as it was, and say of the others why they are left.

    PLAN is its id, or the end of it as `lifecycle plans` prints it. What policies delete goes through the brake.
    """
    _carry_out(session, _find(session, plan), dry_run=dry_run)


def _carry_out(session: Session, plan: UUID, *, dry_run: bool) -> None:
    """Apply the plan and print the outcomes, also where something ends it early; the exit code is 7 if some failed."""
    done = _Applied(dry_run)
    try:
        with session.output.progress("applying") as advance:
            applied = session.keeper.plans.apply(plan, caller=session.caller, dry_run=dry_run)
            for item in session.closed_at_end(applied):
                done.add(item, listed=session.output.as_json)
                advance(1)
    except BaseException:
        if done.counts:
            _print_applied(session, done)
            session.output.warn("it ended before all of the plan was done; the same command does the rest")
        raise
    _print_applied(session, done)
    if done.failed:
        click.get_current_context().exit(messages.SOME_FAILED)


@dataclass(slots=True)
class _Applied:
    """What was done of a plan."""

    dry_run: bool
    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    failed: int = 0
    undone: list[AppliedItem] = field(default_factory=list)
    items: list[AppliedItem] = field(default_factory=list)

    def add(self, item: AppliedItem, *, listed: bool) -> None:
        """Count an item; keep the first that were not done, and each one if it is to be ``listed``."""
        self.counts[item.action, item.outcome] += 1
        self.failed += item.outcome in {Outcome.RETRY, Outcome.PARKED, Outcome.REFUSED}
        if item.outcome is not Outcome.DONE and len(self.undone) < ROWS:
            self.undone.append(item)
        if listed:
            self.items.append(item)


def _print_applied(session: Session, done: _Applied) -> None:
    if session.output.as_json:
        named = {f"{action}: {outcome.value}": count for (action, outcome), count in done.counts.items()}
        session.output.document({"counts": named, "dry_run": done.dry_run, "items": done.items})
        return
    _print_skipped(session, done.undone)
    table = output.table("what", "artifacts", right=["artifacts"])
    for (action, outcome), count in sorted(done.counts.items()):
        would = done.dry_run and outcome is Outcome.DONE
        table.add_row(f"{action}: {'would be done' if would else outcome.value}", str(count))
    session.output.print(table if done.counts else "nothing is left to do of this plan")
    if done.dry_run:
        session.output.say("a dry run: nothing was changed")


def print_items(session: Session, items: Sequence[PlanItemView]) -> None:
    """Print the action for each artifact, and why; a reason that all artifacts of a rule share is printed once."""
    reasons: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        reasons[item.rule].add(item.reason)
    common = {rule: given.pop() for rule, given in reasons.items() if len(given) == 1}
    table = output.table("artifact", "age", "would", "from", "to", "why", right=["age"], fold=["artifact", "why"])
    for item in items:
        own = item.rule if item.rule in common else f"{item.reason} [{item.rule}]"
        why = own + "".join(f"; blocked by {blocker}" for blocker in item.blocked)
        table.add_row(
            str(item.ref),
            output.span(item.age_days),
            output.word(item.action),
            output.tiers(item.source),
            output.tiers(item.target),
            why,
        )
    session.output.print(table if items else "nothing is due")
    if common:
        session.output.print("", output.pairs(common.items()))


def _print_summary(session: Session, summary: Mapping[str, Any]) -> None:
    table = output.table(
        "would",
        "by rule",
        "artifacts",
        "bytes",
        "such as",
        right=["artifacts", "bytes"],
        fold=["by rule", "such as"],
    )
    for line in summary["rules"]:
        such = ", ".join(line["samples"])
        table.add_row(
            output.word(line["action"]), line["rule"], str(line["artifacts"]), output.size(line["bytes"]), such
        )
    for line in summary["refused"]:
        such = ", ".join(line["samples"])
        table.add_row(output.word("refused"), line["reason"], str(line["artifacts"]), output.size(line["bytes"]), such)
    if table.rows:
        session.output.print(table)
    for over in summary["brake"]:
        what = f" by policy {over['policy']}" if over["policy"] else ""
        session.output.warn(
            f"the brake will ask: {format_count(over['deletes'], 'artifact')} of {over['tenant']} to be deleted{what},"
            f" and {over['recent']} were lately; the limit is {over['limit']}"
        )


def _print_skipped(session: Session, left: Iterable[AppliedItem]) -> None:
    table = output.table("artifact", "was to", "outcome", "why", fold=["artifact", "why"])
    for item in left:
        table.add_row(str(item.ref), output.word(item.action), output.word(item.outcome.value), item.detail)
    if table.rows:
        session.output.print(table, "")


def _find(session: Session, text: str) -> UUID:
    plans = session.keeper.plans
    plan = short_ids.whole(
        text,
        lambda: [each.id for each in plans.latest(limit=short_ids.LATEST)],
        field="plan",
        listing="lifecycle plans",
    )
    if plan is None:
        raise PlanNotFound(plan=text)
    return plan
