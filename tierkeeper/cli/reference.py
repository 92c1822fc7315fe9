"""Writes docs/reference/cli.md from the commands themselves: ``python -m tierkeeper.cli.reference``."""

import inspect
from collections.abc import Iterator

import click

from tierkeeper.cli.main import cli
from tierkeeper.cli.support.groups import LazyGroup, TierGroup, VerbedCommand

COMMON = {"-o", "-q", "-v", "-h", "--utc"}  # described once, at the beginning
INTRODUCTION = """\
# The command line

Written from the commands themselves by `python -m tierkeeper.cli.reference`; do not edit.

- An artifact is `TENANT/WORKFLOW/NAME`, or `TENANT/WORKFLOW/NAME@VERSION`; without a version it is the latest. With
  `--tenant` or `TIERKEEPER_TENANT` the tenant may be left out. A name that itself ends in `@` and digits is written
  with a version after it, or with `--version`.
- Every command also takes `-o table|json`, `-q`, `-v` and `--utc`, before or after its name. Data goes to stdout;
  progress, remarks and errors go to stderr. With `-o json`, an error is one JSON object on stderr.
- Times of tables are in this machine's zone, with its offset (`2026-11-30 09:00:00+01:00`, `Z` for UTC); with `--utc`,
  and in JSON always, they are in UTC. Times within sentences (`because`, `why`, errors) are in UTC for everyone, and
  say so. A time that is given has its zone (`2026-11-20T08:00Z`, `2026-11-20T09:00+01:00`), or is an age (`8d`).
- A command that finds no home (`--home`, `TIERKEEPER_HOME`, else `.tierkeeper` in the working folder) and needs one
  makes it, and says where: a mistyped one has nothing of what was stored.
- A question is asked on stderr. Where standard input has no answer, as in a cron job, nothing is done, and the error
  names the option that says yes (mostly `--yes`).
- Commands act here, in-process. `--enqueue` sends the work to the workers instead, `--wait` waits for their answer.
- What moves or deletes has `--dry-run`, with a reason for each artifact.
- How a command ended is told by its [exit code](exit-codes.md).
- Shell completion: `eval "$(_TIERKEEPER_COMPLETE=bash_source tierkeeper)"`, with `zsh_source` or `fish_source` for the
  other shells; put the line into the shell's start file.
- The same commands are part of Celery's command line: `celery -A worker.app tier ls`. Celery looks for code in the
  working folder first, `tierkeeper` never: [how processes start](tasks.md#queues).
"""


def reference() -> str:
    """Return the whole page."""
    context = click.Context(cli, info_name="tierkeeper", help_option_names=["-h", "--help"])
    return "\n".join([INTRODUCTION, *_options(cli, context), "", *_commands(cli, context)]).rstrip() + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, TierGroup):
            yield from _commands(command, inner)
        else:
            yield from _command(command, inner)
        if isinstance(command, VerbedCommand):
            for verb in command.verbs.values():
                yield from _command(verb, click.Context(verb, info_name=f"{name} {verb.name}", parent=context))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}\n"
    yield f"```\n{context.command_path} {usage}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    yield from _options(command, context)
    yield ""


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [
        (param, record)
        for param in command.get_params(context)
        if isinstance(param, click.Option) and (record := param.get_help_record(context)) is not None
    ]
    shown = [record for param, record in rows if isinstance(command, LazyGroup) or not COMMON.intersection(param.opts)]
    if shown:
        yield "| option | |\n| --- | --- |"
    for names, text in shown:
        yield f"| `{_cell(names)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
