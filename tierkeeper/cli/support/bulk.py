"""Shared code of the verbs: select artifacts by arguments or a filter, run or send the verb for each, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import click
from rich.text import Text

from tierkeeper.base.errors import NothingToSelect
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import ArtifactState, Outcome
from tierkeeper.cli.support import messages, output, params, questions
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import ItemError, Ref, VerbResult
from tierkeeper_client.contract import TaskName, VerbArgs, validated
from tierkeeper_client.errors import TierkeeperError

FAILURES: Final = frozenset({Outcome.REFUSED, Outcome.PARKED})


@dataclass(frozen=True, slots=True)
class Target:
    """The target of one verb: an artifact's latest version, one version of it, or all its versions."""

    ref: Ref
    all_versions: bool = False

    def fields(self) -> dict[str, Any]:
        """Return the fields of :class:`VerbArgs` that name the target."""
        return {
            "tenant": self.ref.tenant,
            "workflow": self.ref.workflow,
            "name": self.ref.name,
            "version": self.ref.version,
            "all_versions": self.all_versions,
        }


def targets(session: Session, artifacts: Sequence[str], *, version: int | None, chosen: params.Chosen) -> list[Target]:
    """Return the targets that the arguments name, or that the filter selects; neither or both is a usage error."""
    if artifacts:
        if chosen.given:
            raise click.UsageError("Give artifacts, or a filter, not both.")
        refs = [params.parse_ref(text, tenant=chosen.filter.tenant) for text in artifacts]
        return [Target(params.with_version(ref, version), all_versions=chosen.filter.all_versions) for ref in refs]
    if not chosen.given:
        raise click.UsageError(
            "Name an artifact (TENANT/WORKFLOW/NAME), or select some, such as with --workflow or --tier."
        )
    if version is not None:
        raise click.UsageError("--version goes with an artifact; with a filter there is --all-versions.")
    return selected(session, chosen)


def selected(session: Session, chosen: params.Chosen) -> list[Target]:
    """Return each version that the filter selects; raise NothingToSelect if there is none."""
    session.check_tier(chosen.filter.tier)
    views = (
        view for view in session.closed_at_end(session.keeper.artifacts.select(chosen.filter)) if chosen.keep(view)
    )
    found = [Target(view.ref) for view in islice(views, chosen.limit)]
    if not found:
        raise NothingToSelect(filter=describe(chosen))
    return found


def describe(chosen: params.Chosen) -> str:
    """Return the filter in words."""
    f = chosen.filter
    parts = [
        f"{key} {value}"
        for key in ("tenant", "workflow", "name", "prefix", "tier", "sha256")
        if (value := getattr(f, key))
    ]
    parts += [f"tag {key}={value}" for key, value in f.tags.items()]
    if f.older_than is not None:
        parts.append(f"older than {output.span(f.older_than)}")
    if f.state is not ArtifactState.LIVE:
        parts.append("any state" if f.state is None else f"state {f.state}")
    if f.all_versions:
        parts.append("all versions")
    return ", ".join(parts) or "no condition"


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its method of ``keeper.artifacts``, its task, its argument model, and the label of the progress."""

    name: str
    task: TaskName
    model: type[VerbArgs]
    doing: str


def carry_out(
    session: Session, verb: Verb, targets: Sequence[Target], how: params.VerbOptions, **extra: object
) -> None:
    """Run ``verb`` for each of ``targets`` and print the outcomes; the exit code is 7 if some failed.

    With a single target its error is raised; with several, a failed one does not stop the others. What all the others
    would meet too ends it, and what was done is printed before.

    Each is a command of its own, with its transactions and its row in ``commands``: a verb is refused, repeated and
    answered one by one, and moves its bytes right after its wish. In one transaction of many, the first refusal would
    undo the others, and each would hold its locks until the last was asked.
    """
    bounds = session.settings.limits.bounds
    arguments = [
        validated(verb.model, {**target.fields(), "reason": how.reason, **extra}, within=bounds) for target in targets
    ]
    if how.enqueue:
        _send(session, verb, arguments, how)
        return
    if how.wait is not None:
        raise click.UsageError("--wait goes with --enqueue.")
    results: list[VerbResult | ItemError] = []
    method = getattr(session.keeper.artifacts, verb.name)
    try:
        with session.output.progress(verb.doing, total=len(arguments)) as advance:
            for each in arguments:
                try:
                    results.extend(method(each, caller=session.caller, dry_run=how.dry_run))
                except TierkeeperError as error:
                    if len(arguments) == 1 or error.of_all:
                        raise
                    results.append(ItemError(ref=_ref(each), error=error.as_dict()))
                advance(1)
    except BaseException:
        if results:
            report(session, results, dry_run=how.dry_run)
            session.output.warn("it ended before the others were asked; the same command asks them")
        raise
    report(session, results, dry_run=how.dry_run)
    if any(isinstance(result, ItemError) or result.outcome in FAILURES for result in results):
        click.get_current_context().exit(messages.SOME_FAILED)


def _send(session: Session, verb: Verb, arguments: Sequence[VerbArgs], how: params.VerbOptions) -> None:
    if how.dry_run:
        raise click.UsageError("A dry run happens here; leave out --enqueue.")
    messages.send(session, [_post(session, verb, each) for each in arguments], wait=how.wait)


def _post(session: Session, verb: Verb, arguments: VerbArgs) -> messages.Post:
    # one key for both ways: if the message was sent after all, the verb is still carried out only once
    caller = session.caller.keyed()
    return messages.Post(
        _ref(arguments),
        lambda: session.client.send(verb.task, arguments, key=caller.key, correlation=session.caller.correlation),
        lambda: session.keeper.artifacts.ask(arguments, caller=caller),
    )


def _ref(arguments: VerbArgs) -> Ref:
    return Ref(arguments.tenant, arguments.workflow, arguments.name, arguments.version)


def report(session: Session, results: Sequence[VerbResult | ItemError], *, dry_run: bool) -> None:
    """Print the outcome for each artifact."""
    if session.output.as_json:
        session.output.document(list(results))
        return
    table = output.table("artifact", "outcome", "copies in", "wanted in", "why", fold=["artifact", "why"])
    for result in results:
        if isinstance(result, ItemError):
            table.add_row(str(result.ref), output.word("error"), "", "", str(result.error["message"]))
        else:
            outcome = Text("dry run: " if dry_run else "", style="bright_black")
            outcome.append_text(output.word(result.outcome.value))
            table.add_row(
                str(result.ref), outcome, output.tiers(result.present), output.tiers(result.wanted), result.detail
            )
    session.output.print(table)


def confirm(session: Session, found: Sequence[Target], *, what: str) -> None:
    """Ask the user to confirm ``what`` (a verb); any answer but yes aborts the command with nothing done."""
    shown = ", ".join(str(target.ref) for target in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004  the three that are shown
    session.output.warn(f"{shown}{more}")
    questions.confirm(f"{what} {format_count(len(found), 'artifact')}?")
