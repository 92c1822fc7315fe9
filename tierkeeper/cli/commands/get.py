import sys
from pathlib import Path

import click

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support import output, params, targets
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import Ref


@click.command(cls=TierCommand)
@click.argument("artifact")
@click.argument("target", required=False, type=click.Path(path_type=Path, allow_dash=True))
@params.tenant_option
@params.version_option
@click.option("--deleted", is_flag=True, help="Read it even if it is deleted, while the undo window lasts.")
@click.option(
    "--offset", type=click.IntRange(min=0), metavar="N", default=0, help="Begin at this byte; to stdout only."
)
@click.option("--length", type=click.IntRange(min=1), metavar="N", help="At most so many bytes; to stdout only.")
@click.option("--force", is_flag=True, help="Replace TARGET if it is there.")
@pass_session
def get(
    session: Session,
    *,
    artifact: str,
    target: Path | None,
    tenant: str | None,
    version: int | None,
    deleted: bool,
    offset: int,
    length: int | None,
    force: bool,
) -> None:
    """Read ARTIFACT (TENANT/WORKFLOW/NAME[@VERSION]) into the file or folder TARGET, or to stdout with -.

    The bytes are checked against their SHA-256 on the way; a file appears only when all of them were right. Without
    TARGET the file gets the last part of the artifact's name, here.
    """
    ref = params.with_version(params.parse_ref(artifact, tenant=tenant), version)
    if target == Path("-"):
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
    with targets.written(path), session.output.progress(f"reading {ref}", total=size, in_bytes=True) as advance:
        view = session.keeper.artifacts.fetch(ref, path, deleted=deleted, progress=advance)
    if session.output.as_json:
        session.output.document({"ref": view.ref, "path": str(path), "size": view.size, "sha256": view.sha256})
    else:
        session.output.say(f"{view.ref} -> {path} ({output.size(view.size)}, SHA-256 verified)")


def _file(target: Path | None, ref: Ref) -> Path:
    last = ref.name.rpartition("/")[2]
    if target is None:
        return Path(last)
    return target / last if target.is_dir() else target


def _to_stdout(session: Session, ref: Ref, *, deleted: bool, offset: int, length: int | None) -> None:
    stdout = sys.stdout.buffer
    with session.keeper.artifacts.open(ref, deleted=deleted, offset=offset, length=length) as reading:
        for chunk in reading.chunks:
            stdout.write(chunk)
    stdout.flush()
