import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support import messages, output, params
from tierkeeper.cli.support.content_types import guess_type
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.values.artifacts import ItemError, ItemResult, Ref, StoreResult
from tierkeeper_client import contract, files
from tierkeeper_client.errors import TierkeeperError

if TYPE_CHECKING:
    from tierkeeper_client.client import Handle
    from tierkeeper_client.contract import StoreArgs

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class FileToStore:
    """A file to store, and the name of its artifact; ``inside`` a folder that was named, or named itself."""

    path: Path
    name: str
    inside: bool = False


@click.command(cls=TierCommand)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, allow_dash=True), metavar="FILE…"
)
@params.tenant_option
@click.option("--workflow", required=True, help="Workflow to store under.")
@click.option("--name", help="Name of the artifact; for a single file. By default its file name.")
@click.option("--prefix", default="", help="Put before each name, such as '2024/'.")
@click.option("-r", "--recursive", is_flag=True, help="Take folders too; names are relative to the folder.")
@click.option("--created", type=params.MOMENT, help="When it came to be, in the past: ISO 8601, or an age such as 8d.")
@click.option("--metadata", type=params.METADATA, multiple=True, help="KEY=VALUE or a JSON object; repeatable.")
@click.option("--tag", "tags", type=params.PAIR, multiple=True, help="KEY=VALUE; repeatable.")
@click.option("--content-type", help="By default guessed from the name.")
@click.option("--force", is_flag=True, help="A new version even if nothing changed.")
@params.enqueue_options
@pass_session
def store(session: Session, *, enqueue: bool, wait: timedelta | None, **options: Any) -> None:  # noqa: ANN401  handed on by name
    """Store files as artifacts: FILE… or - for stdin.

    An artifact is TENANT/WORKFLOW/NAME; storing a name again makes its next version, unless nothing changed.
    """
    if options["tenant"] is None:
        raise click.UsageError("Say whose it is: --tenant, or TIERKEEPER_TENANT.")
    sources = list(_sources(options["files"], options))
    arguments = [_arguments(session, source, options) for source in sources]
    if not arguments:
        raise click.UsageError("There is no file in that folder.")
    if not enqueue:
        if wait is not None:
            raise click.UsageError("--wait goes with --enqueue.")
        _store_in_process(session, list(zip(sources, arguments, strict=True)))
        return
    posts = [
        messages.Post(_ref(one), partial(_send, session, source, one))
        for source, one in zip(sources, arguments, strict=True)
    ]
    messages.send(session, posts, wait=wait)


def _sources(files: Sequence[Path], options: dict[str, Any]) -> Iterator[FileToStore]:
    name, prefix = options["name"], options["prefix"]
    if name is not None and (len(files) > 1 or files[0].is_dir()):
        raise click.UsageError("--name goes with a single file; use --prefix for several.")
    for path in files:
        if path == STDIN:
            if name is None:
                raise click.UsageError("Content from stdin needs a --name.")
            yield FileToStore(path, prefix + name)
        elif path.is_dir():
            if not options["recursive"]:
                raise click.UsageError(f"{path} is a folder; use -r to take the files in it.")
            inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
            yield from (FileToStore(file, prefix + file.relative_to(path).as_posix(), inside=True) for file in inside)
        else:
            yield FileToStore(path, prefix + (path.name if name is None else name))


def _arguments(session: Session, source: FileToStore, options: dict[str, Any]) -> "StoreArgs":
    metadata: dict[str, Any] = {}
    for fields in options["metadata"]:
        metadata |= fields
    return contract.validated(
        contract.StoreArgs,
        {
            "tenant": options["tenant"],
            "workflow": options["workflow"],
            "name": source.name,
            "content": contract.InlineContent.of(b""),  # the bytes are passed beside the arguments, not in them
            "content_type": options["content_type"] or guess_type(source.name),
            "metadata": metadata,
            "tags": dict(options["tags"]),
            "created": options["created"],
            "force": options["force"],
        },
        within=session.settings.limits.bounds,
    )


def _ref(arguments: "StoreArgs") -> Ref:
    return Ref(arguments.tenant, arguments.workflow, arguments.name)


def _send(session: Session, source: FileToStore, arguments: "StoreArgs") -> "Handle":
    fields = arguments.model_dump(exclude={"content", "sha256"})
    with _opened(source) as content:
        return session.client.store(content, **fields, correlation=session.caller.correlation)


def _store_in_process(session: Session, items: Sequence["tuple[FileToStore, StoreArgs]"]) -> None:
    results: list[ItemResult] = []
    with session.output.progress("storing", total=len(items)) as advance:
        for source, arguments in items:
            try:
                results.append(_store_one(session, source, arguments))
            except TierkeeperError as error:
                if len(items) == 1:
                    raise
                results.append(ItemError(ref=_ref(arguments), error=error.as_dict()))
            advance(1)
    _report(session, results)
    if any(isinstance(result, ItemError) for result in results):
        click.get_current_context().exit(messages.SOME_FAILED)


def _store_one(session: Session, source: FileToStore, arguments: "StoreArgs") -> StoreResult:
    with _opened(source) as content:
        return session.keeper.artifacts.store(arguments, caller=session.caller, content=content)


@contextmanager
def _opened(source: FileToStore) -> Iterator[BinaryIO]:
    """Open the content; a pipe only where it was named itself, as the shell's ``<(…)`` is. Raises InvalidInput."""
    if source.path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        content = files.reading(source.path) if source.inside else source.path.open("rb")
    except OSError as error:
        raise InvalidInput(
            field="file",
            value=str(source.path),
            problem=f"it cannot be read: {error.strerror}",
            fix="Check its permissions.",
        ) from error
    with content:
        yield content


def _report(session: Session, results: Sequence[ItemResult]) -> None:
    if session.output.as_json:
        session.output.document(results)
        return
    table = output.table("artifact", "outcome", "size", "copies in", right=["size"], fold=["artifact"])
    for result in results:
        if isinstance(result, ItemError):
            table.add_row(str(result.ref), output.Text(str(result.error["message"]), style="red"), "", "")
        else:
            table.add_row(str(result.ref), result.outcome, output.size(result.size), output.tiers(result.tiers))
    session.output.print(table)
