import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tierkeeper.base.errors import PoliciesLeftOver
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import output, params, questions, streams, targets
from tierkeeper.cli.support.content_types import guess_type
from tierkeeper.cli.support.groups import TierGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.policy.match import Standing, Subject
from tierkeeper.values.policies import PolicyChange, PolicyImport, PolicyView

FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
_DRY_RUN = "a dry run: nothing was changed"


@click.group(cls=TierGroup)
def policy() -> None:
    """Apply, show, compare, test, import and remove policies."""


@policy.command(short_help="Make the policies in a file govern.")
@click.argument("file", type=FILE)
@params.dry_run_option
@pass_session
def apply(session: Session, *, file: Path, dry_run: bool) -> None:
    """Make the policies in FILE (YAML or JSON, - for stdin) govern; each change is a new version."""
    changes = session.keeper.policies.apply(
        targets.read_text(file), source=str(file), caller=session.caller, dry_run=dry_run
    )
    _print_changes(session, changes)
    if dry_run:
        session.output.say(_DRY_RUN)


@policy.command()
@click.argument("file", type=FILE)
@pass_session
def diff(session: Session, *, file: Path) -> None:
    """Compare the policies in FILE (- for stdin) with those that govern now."""
    changes = session.keeper.policies.apply(
        targets.read_text(file), source=str(file), caller=session.caller, dry_run=True
    )
    if session.output.as_json:
        session.output.document(changes)
        return
    for change in changes:
        session.output.print(f"{change.name}: {change.change}, governs {_matched(change)}")
        if change.diff:
            session.output.print(output.diff(change.diff))


@policy.command(name="list")
@click.option("--all-versions", is_flag=True, help="Former versions too.")
@pass_session
def list_policies(session: Session, *, all_versions: bool) -> None:
    """List the policies."""
    policies = session.keeper.policies.known(all_versions=all_versions)
    if session.output.as_json:
        session.output.document(policies)
        return
    columns = ("policy", "v", "since", "matches", "phases", "undo")
    table = output.table(*columns, right=["v"], fold=["policy", "matches", "phases"])
    for policy in policies:
        built_in = " (built in)" if policy.built_in else ""
        removed = " (removed)" if policy.removed_at else ""
        table.add_row(
            f"{policy.name}{built_in}{removed}",
            str(policy.version),
            output.day(policy.active_from),
            _matches(policy),
            _phases(policy),
            str(policy.document.get("undo", "-")),
        )
    session.output.print(table)


@policy.command()
@click.argument("name")
@params.version_option
@pass_session
def show(session: Session, *, name: str, version: int | None) -> None:
    """Show policy NAME as YAML, which `policy apply` reads back."""
    found = session.keeper.policies.get(name, version)
    if session.output.as_json:
        session.output.document(found)
        return
    until = f" until {output.moment(found.removed_at)}, removed then" if found.removed_at else ""
    session.output.say(f"# {found.name} v{found.version}, from {output.moment(found.active_from)}{until}")
    session.output.print(found.yaml.rstrip())


@policy.command(short_help="Say which policy would govern an artifact, and why.")
@click.argument("artifact")
@params.tenant_option
@click.option("--tag", "tags", type=params.PAIR, multiple=True, help="As if it had this tag; repeatable.")
@click.option("--content-type", help="As if it were of this type; by default guessed from the name.")
@click.option("--size", type=params.SIZE, default="0", help="As if it were of this size, such as 10MiB.")
@pass_session
def test(
    session: Session,
    *,
    artifact: str,
    tenant: str | None,
    tags: tuple[tuple[str, str], ...],
    content_type: str | None,
    size: int,
) -> None:
    """Say which policy would govern such an ARTIFACT (TENANT/WORKFLOW/NAME), where it would be when, and why.

    It need not exist.
    """
    ref = params.parse_ref(artifact, tenant=tenant)
    verdicts = session.keeper.policies.test(
        Subject(
            tenant=ref.tenant,
            workflow=ref.workflow,
            name=ref.name,
            tags=tuple(sorted(tags)),
            content_type=content_type or guess_type(ref.name),
            size=size,
        )
    )
    governing = next(verdict.policy for verdict in verdicts if verdict.standing is Standing.GOVERNS)
    phases = [{"after": str(phase.after), "in": sorted(phase.tiers)} for phase in governing.phases]
    if session.output.as_json:
        stand = [{"policy": v.policy.label, "standing": v.standing, "why": v.detail} for v in verdicts]
        session.output.document({"policy": governing.label, "phases": phases, "verdicts": stand})
        return
    table = output.table("from the age", "in")
    for phase in governing.phases:
        table.add_row(str(phase.after), output.tiers(sorted(phase.tiers)) if phase.tiers else output.word("purged"))
    why = output.table("policy", "stands", "because", fold=["because"])
    for verdict in verdicts:
        why.add_row(verdict.policy.label, verdict.standing.value, verdict.detail)
    session.output.print(f"{ref} is governed by {governing.label}", "", table, "", why)


@policy.command()
@click.argument("name")
@params.yes_option
@pass_session
def remove(session: Session, *, name: str, yes: bool) -> None:
    """Remove policy NAME; what it governed falls to the next that matches."""
    found = session.keeper.policies.get(name)
    if not yes:
        questions.confirm(f"Remove policy {found.name} v{found.version}?")
    _print_changes(session, [session.keeper.policies.remove(name, caller=session.caller)])


@policy.command(name="import-s3", short_help="Apply an S3 lifecycle configuration.")
@click.argument("file", type=FILE)
@click.option("--name", required=True, help="Name of the import; its policies are called NAME-ID, by the rules' IDs.")
@params.tenant_option_for("Only for this tenant.")
@click.option("--workflow", help="Only for this workflow, or a pattern.")
@click.option(
    "--class",
    "classes",
    type=params.PAIR,
    multiple=True,
    metavar="CLASS=TIER",
    help="The tier of a storage class, such as GLACIER=cold; repeatable.",
)
@click.option(
    "--remove-missing", is_flag=True, help="Remove the import's policies that FILE has no longer; do not ask."
)
@params.dry_run_option
@pass_session
def import_s3(
    session: Session,
    *,
    file: Path,
    classes: tuple[tuple[str, str], ...],
    dry_run: bool,
    remove_missing: bool,
    **options: Any,  # noqa: ANN401  the import's own
) -> None:
    """Apply an S3 lifecycle configuration: JSON as the aws command line and SDKs take and give it, or S3's XML.

    It replaces what was imported under NAME before. What tierkeeper does anyway is a remark; what a policy cannot say
    is an error that names the rule, never a silent loss.
    """
    do = functools.partial(
        session.keeper.policies.import_s3,
        targets.read_text(file),
        source=str(file),
        caller=session.caller,
        tier_of_class=dict(classes),
        **options,
    )
    try:
        imported = do(dry_run=dry_run, remove_missing=remove_missing)
    except PoliciesLeftOver as error:
        if session.output.as_json or not streams.can_ask():
            raise
        _print_import(session, do(dry_run=True))
        questions.confirm(f"Remove {error.data['policies']}, and apply the rest?", option="--remove-missing")
        imported = do(remove_missing=True)
    if session.output.as_json:
        session.output.document(imported)
        return
    _print_import(session, imported)
    if dry_run:
        session.output.say(_DRY_RUN)


def _print_import(session: Session, imported: PolicyImport) -> None:
    for remark in imported.remarks:
        session.output.warn(remark)
    if imported.policies:
        _print_changes(session, imported.policies)
    else:
        session.output.say("no rule needs a policy: nothing was changed")


def _print_changes(session: Session, changes: Sequence[PolicyChange]) -> None:
    if session.output.as_json:
        session.output.document(changes)
        return
    table = output.table("policy", "version", "change", "governs", right=["version", "governs"])
    for change in changes:
        table.add_row(change.name, str(change.version), change.change, _matched(change))
    session.output.print(table)
    if remark := session.keeper.policies.remark():
        session.output.say(remark)


def _matched(change: PolicyChange) -> str:
    return f"{'at least ' if change.at_least else ''}{format_count(change.matched, 'artifact')}"


def _matches(one: PolicyView) -> str:
    match = one.document.get("match") or {}
    return ", ".join(f"{key} {_condition_text(value)}" for key, value in match.items()) or "everything"


def _condition_text(value: object) -> str:
    return " ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _phases(one: PolicyView) -> str:
    phases = one.document.get("phases", [])
    return ", ".join(f"{phase['after']} {'+'.join(phase['in']) or 'purge'}" for phase in phases)
