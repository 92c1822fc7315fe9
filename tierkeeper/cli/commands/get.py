import sys
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click

from tierkeeper.base import clock
from tierkeeper.base.errors import ArtifactNotFound, InvalidInput
from tierkeeper.cli.support import fetching, output, params, targets
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import ArtifactView, Ref
from tierkeeper.values.progress import ProgressCallback
from tierkeeper_client.errors import InvalidName
from tierkeeper_client.identifiers import check_segment


@click.command(cls=TierCommand)
@click.argument("artifact", required=False)
@click.argument("target", required=False)
@params.version_option
@click.option("--deleted", is_flag=True, help="Read it even if it is deleted, while the undo window lasts.")
@click.option(
    "--offset", type=click.IntRange(min=0), metavar="N", default=0, help="Begin at this byte; to stdout only."
)
@click.option("--length", type=click.IntRange(min=1), metavar="N", help="At most so many bytes; to stdout only.")
@click.option("--force", is_flag=True, help="Replace TARGET (a pipe or a device is written to), or other files in it.")
@click.option("--due-within", type=params.SPAN, help="Whose next step is due within this, such as 7d.")
@params.filter_options()
@pass_session
def get(
    session: Session,
    *,
    artifact: str | None,
    target: str | None,
    version: int | None,
    deleted: bool,
    offset: int,
    length: int | None,
    force: bool,
    due_within: timedelta | None,
    chosen: params.Chosen,
) -> None:
    """Read ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]) into the file or folder TARGET, or to stdout with -.

    The bytes are checked against their SHA-256 on the way; a file appears only when all of them were right. Without
    TARGET the file gets the last part of the artifact's name, here.

    TENANT/WORKFLOW[/BEGINNING-OF-NAME] TARGET/ reads all of these into WORKFLOW/NAME below TARGET, as the options of a
    filter with TARGET alone do. Files that are equal stay, others are replaced only with --force: given again, the
    command reads what is missing.
    """
    if due_within is not None:
        chosen = replace(chosen, given=True, keep=partial(_due_before, clock.now() + due_within))
    many = _many(session, artifact, target, chosen)
    if many is not None:
        if version is not None or offset or length is not None or chosen.filter.all_versions:
            raise click.UsageError("--version, --all-versions, --offset and --length go with one artifact.")
        selection, folder = many
        wanted = fetching.selected(session, selection, folder)
        fetching.fetch(session, wanted, folder, deleted=deleted, force=force)
        return
    if artifact is None:
        raise click.UsageError("Name an artifact, or select some by a filter such as --workflow.")
    ref = params.with_version(params.parse_ref(artifact, tenant=chosen.filter.tenant), version)
    if target == "-":
        _to_stdout(session, ref, deleted=deleted, offset=offset, length=length)
        return
    if offset or length is not None:
        raise click.UsageError("--offset and --length go with '-' as TARGET.")
    path = _file(target, ref)
    if path.exists() and not force:
        raise InvalidInput(
            field="TARGET", value=str(path), problem="it is there already", fix="Use --force, or another name."
        )
    size = session.keeper.artifacts.show(ref).size
    with (
        targets.written(path, make_folder=target is not None and target.endswith("/")),
        session.output.progress(f"reading {ref}", total=size, in_bytes=True) as advance,
    ):
        view = _written(session, ref, path, deleted=deleted, progress=advance)
    if session.output.as_json:
        session.output.document({"ref": view.ref, "path": str(path), "size": view.size, "sha256": view.sha256})
    else:
        session.output.say(f"{view.ref} -> {path} ({output.size(view.size)}, SHA-256 verified)")


def _many(
    session: Session, artifact: str | None, target: str | None, chosen: params.Chosen
) -> tuple[params.Chosen, Path] | None:
    """Return what is selected and the folder to read it into, None where one artifact is named.

    A name is one artifact's where there is such an artifact; else, with a folder as TARGET, the beginning of names.
    """
    if chosen.given:
        if target is not None:
            raise click.UsageError("Give an artifact, or a filter, not both; with a filter there is TARGET alone.")
        if chosen.filter.tenant is None:
            raise click.UsageError("Say whose they are: --tenant, or TIERKEEPER_TENANT.")
        return chosen, _folder(artifact)
    if artifact is None or (chosen.filter.tenant is None and "/" not in artifact):
        return None
    tenant, workflow, prefix = _parts(artifact, chosen.filter.tenant)
    # within a default tenant, two parts may be a workflow that is called like the tenant, and a name
    may_be_one = bool(prefix) or chosen.filter.tenant is not None
    if not artifact.endswith("/") and may_be_one:
        if prefix and not _is_folder(target):
            return None
        if not _missing(session, artifact, chosen):
            return None
    selected = replace(chosen.filter, tenant=tenant, workflow=workflow, prefix=prefix or None)
    return replace(chosen, filter=selected, given=True), _folder(target)


def _parts(artifact: str, tenant: str | None) -> tuple[str, str, str]:
    parts = artifact.split("/", 2)
    if tenant is not None and parts[0] != tenant:
        parts = [tenant, *artifact.split("/", 1)]
    first, second, rest = [*parts, "", ""][:3]
    return check_segment(first, field="tenant"), check_segment(second, field="workflow"), rest


def _missing(session: Session, artifact: str, chosen: params.Chosen) -> bool:
    try:
        session.keeper.artifacts.show(params.parse_ref(artifact, tenant=chosen.filter.tenant))
    except (ArtifactNotFound, InvalidName):
        return True
    return False


def _is_folder(target: str | None) -> bool:
    return target is not None and (target.endswith("/") or Path(target).is_dir())


def _folder(target: str | None) -> Path:
    if target is None or target == "-":
        raise click.UsageError("Name the folder that they are read into: TARGET.")
    return Path(target)


def _due_before(end: datetime, view: ArtifactView) -> bool:
    return view.due_at is not None and view.due_at <= end


def _file(target: str | None, ref: Ref) -> Path:
    last = ref.name.rpartition("/")[2]
    if target is None:
        return Path(last)
    return Path(target, last) if _is_folder(target) else Path(target)


def _written(session: Session, ref: Ref, path: Path, *, deleted: bool, progress: ProgressCallback) -> ArtifactView:
    """Write the artifact to ``path``; a pipe or a device there gets its bytes as stdout does."""
    device = targets.device_at(path)
    if device is None:
        return session.keeper.artifacts.fetch(ref, targets.resolved(path), deleted=deleted, progress=progress)
    with device, session.keeper.artifacts.open(ref, deleted=deleted) as reading:
        for chunk in reading.chunks:
            device.write(chunk)
            progress(len(chunk))
    return reading.view


def _to_stdout(session: Session, ref: Ref, *, deleted: bool, offset: int, length: int | None) -> None:
    stdout = sys.stdout.buffer
    with session.keeper.artifacts.open(ref, deleted=deleted, offset=offset, length=length) as reading:
        for chunk in reading.chunks:
            stdout.write(chunk)
    stdout.flush()
