from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

import click

from tierkeeper.base import clock
from tierkeeper.base.errors import NamesRefused
from tierkeeper.base.quantities import format_count
from tierkeeper.cli.support import enqueuing, messages, params, questions, sourcefiles, storing, transfers
from tierkeeper.cli.support.content_types import guess_type
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper_client import contract
from tierkeeper_client.errors import InvalidName, TierkeeperError
from tierkeeper_client.times import FIRST

if TYPE_CHECKING:
    from tierkeeper.cli.support.sourcefiles import LeftOut, SourceFile, SourceFiles
    from tierkeeper.cli.support.storing import FileItem
    from tierkeeper_client.client import Handle
    from tierkeeper_client.contract import StoreArgs


@click.command(cls=TierCommand)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, allow_dash=True), metavar="FILE…"
)
@params.tenant_option
@click.option("--workflow", required=True, help="Workflow to store under.")
@click.option("--name", help="Name of the artifact; for a single file. By default its file name.")
@click.option("--prefix", default="", help="Put before each name, such as '2024/'.")
@click.option("-r", "--recursive", is_flag=True, help="Take folders too; names are relative to the folder.")
@click.option(
    "--created",
    type=params.CREATION,
    help="When it came to be, in the past: ISO 8601, an age such as 8d, or mtime, each file's own time.",
)
@click.option("--metadata", type=params.METADATA, multiple=True, help="KEY=VALUE or a JSON object; repeatable.")
@click.option("--tag", "tags", type=params.PAIR, multiple=True, help="KEY=VALUE; repeatable.")
@click.option("--content-type", help="By default guessed from the name.")
@click.option("--follow-links", is_flag=True, help="In a folder: take what links lead to; else they are left out.")
@click.option("--normalize", type=click.Choice(["nfc"]), help="Compose names, which macOS writes decomposed.")
@click.option("--skip-bad-names", is_flag=True, help="Leave out files whose names no artifact can have.")
@click.option("--force", is_flag=True, help="A new version even if nothing changed.")
@params.yes_option
@params.enqueue_options
@pass_session
def store(session: Session, *, enqueue: bool, wait: timedelta | None, yes: bool, **options: Any) -> None:  # noqa: ANN401  handed on by name
    """Store files as artifacts: FILE… or - for stdin.

    An artifact is TENANT/WORKFLOW/NAME; storing a name again makes its next version, unless nothing changed.
    """
    if options["tenant"] is None:
        raise click.UsageError("Say whose it is: --tenant, or TIERKEEPER_TENANT.")
    if wait is not None and not enqueue:
        raise click.UsageError("--wait goes with --enqueue.")
    sources = _source_files(session, options)
    created = _creations(session, sources.files, options["created"])
    arguments = _arguments(session, sources.files, created, options)
    items = [storing.FileItem(file, args) for file, args in zip(sources.files, arguments, strict=True)]
    if sources.empty:
        session.output.say(
            f"{format_count(len(sources.empty), 'folder')} without a file, such as {sources.empty[0]}: artifacts are"
            " files, so nothing is kept of that"
        )
    if not (items or sources.left_out):
        if session.output.as_json:
            session.output.document([])
        return
    if options["created"] is not None:
        _warn_of_purges(session, items, enqueued=enqueue, ask=options["created"] == params.MTIME and not yes)
    single = len(items) == 1 and not sources.left_out and not items[0].file.inside
    if enqueue and single:
        messages.send(session, [messages.Post(items[0].ref, partial(_send, session, items[0]))], wait=wait)
    elif enqueue:
        enqueuing.enqueue(session, items, sources.left_out, wait=wait, send=partial(_send, session))
    elif single:
        _store_one(session, items[0])
    else:
        storing.store_here(session, items, sources.left_out)


def _source_files(session: Session, options: dict[str, Any]) -> "SourceFiles":
    """Return the files that the arguments name; raise for a usage that cannot be meant."""
    files, name, prefix = options["files"], options["name"], options["prefix"]
    if name is not None and (len(files) > 1 or files[0].is_dir()):
        raise click.UsageError("--name goes with a single file; use --prefix for several.")
    compose = options["normalize"] is not None
    walk = sourcefiles.Walk(session.settings, prefix=prefix, follow=options["follow_links"], compose=compose)
    for path in files:
        if path == sourcefiles.STDIN:
            if name is None:
                raise click.UsageError("Content from stdin needs a --name.")
            walk.add(sourcefiles.SourceFile(path, prefix + name))
        elif path.is_dir():
            if not options["recursive"]:
                raise click.UsageError(f"{path} is a folder; use -r to take the files in it.")
            walk.take(path)
        else:
            walk.add(
                sourcefiles.looked_at(sourcefiles.SourceFile(path, prefix + (path.name if name is None else name)))
            )
    bad = [] if options["skip_bad_names"] else walk.result.bad_names
    if bad or walk.result.doubled:
        _refuse(session, walk.result, bad)
    return walk.result


def _refuse(session: Session, sources: "SourceFiles", bad: "Sequence[LeftOut]") -> NoReturn:
    """List every bad name, and every file whose name another one has, and raise for them."""
    refused = [*bad, *sources.doubled]
    if len(refused) == len(bad) == 1 and not sources.files:
        name, problem = bad[0].name, bad[0].reason
        raise InvalidName(field="name", value=name, problem=problem.rstrip("."), fix="--name gives another one.")
    if session.output.as_json:
        session.output.document(refused)
    else:
        storing.print_left_out(session, refused)
    if bad:
        problem = "no artifact can have these names, so nothing was stored"
        fix = "Rename them, leave them out with --skip-bad-names, or compose names of macOS with --normalize nfc."
    else:
        problem = "other files would have the same names, so nothing was stored"
        fix = "Rename them, or store them by a command of their own, with another --prefix."
    files = format_count(len(refused) + len(sources.files), "file")
    raise NamesRefused(count=len(bad or refused), files=files, problem=problem, fix=fix)


def _creations(session: Session, files: "Sequence[SourceFile]", given: datetime | str | None) -> list[datetime | None]:
    """Return the creation time of each file; one that a file has from the future is now, with a remark."""
    if not isinstance(given, str):
        return [given] * len(files)
    if any(file.modified is None for file in files):
        raise click.UsageError("--created mtime goes with plain files; stdin and pipes have no such time.")
    now = clock.now()
    latest, earliest = now.timestamp(), FIRST.timestamp()
    changed = [file.modified or 0.0 for file in files]
    if ahead := sum(at > latest for at in changed):
        session.output.say(
            f"{ahead} of {format_count(len(files), 'file')} changed in the future, by the time it has: taken as now"
        )
    return [datetime.fromtimestamp(min(max(at, earliest), latest), UTC) for at in changed]


def _warn_of_purges(session: Session, items: "Sequence[FileItem]", *, enqueued: bool, ask: bool) -> None:
    """Tell, before anything is stored, what its policy deletes at once for its creation time; ``ask`` whether to.

    What is only sent needs no catalog here: one that does not answer is told, and keeps nothing from being sent.
    """
    try:
        past = session.keeper.artifacts.past_purge([(item.args, item.size) for item in items], caller=session.caller)
    except TierkeeperError as error:
        if ask or not enqueued:
            raise
        session.output.warn(f"not known is what the next sweep deletes of this for its age: {error}")
        return
    old = [str(item.file.path) for item, gone in zip(items, past, strict=True) if gone]
    if not old:
        return
    verb, whose = ("is", "its policy purges it") if len(old) == 1 else ("are", "their policies purge them")
    session.output.warn(
        f"{len(old)} of {format_count(len(items), 'file')} {verb} past the age at which {whose}, such as {old[0]}: the"
        " next sweep deletes what is stored of it"
    )
    if ask:
        questions.confirm(f"Store {'it' if len(old) == 1 else 'them'}?")


def _arguments(
    session: Session, files: "Sequence[SourceFile]", created: Sequence[datetime | None], options: dict[str, Any]
) -> "Iterator[StoreArgs]":
    """Yield the arguments of each file: those that all have are validated once, the names were as files were taken."""
    metadata: dict[str, Any] = {}
    for fields in options["metadata"]:
        metadata |= fields
    common = None
    for file, at in zip(files, created, strict=True):
        own = {
            "name": file.name,
            "content_type": options["content_type"] or guess_type(file.name),
            "created": at,
        }
        common = common or contract.validated(
            contract.StoreArgs,
            {
                "tenant": options["tenant"],
                "workflow": options["workflow"],
                "content": contract.InlineContent.of(b""),  # the bytes are passed beside the arguments, not in them
                "metadata": metadata,
                "tags": dict(options["tags"]),
                "force": options["force"],
                **own,
            },
            within=session.settings.limits.bounds,
        )
        yield common.model_copy(update=own)


def _send(session: Session, item: "FileItem") -> "Handle":
    fields = item.args.model_dump(exclude={"content", "sha256"})
    with sourcefiles.opened(item.file) as content:
        return session.client.store(content, **fields, correlation=session.caller.correlation)


def _store_one(session: Session, item: "FileItem") -> None:
    store = partial(session.keeper.artifacts.store, item.args, caller=session.caller)
    with sourcefiles.opened(item.file) as content:
        if item.size > transfers.LARGE or (item.file.size is None and session.output.err.is_terminal):
            label = f"storing {item.ref}"
            with session.output.progress(label, total=item.file.size, in_bytes=True) as advance:
                result = store(content=cast("BinaryIO", transfers.Counted(content, advance)))
        else:
            result = store(content=content)
    storing.tell_grown(session, [item], [result])
    storing.print_results(session, [result])
