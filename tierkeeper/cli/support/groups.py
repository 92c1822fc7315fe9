"""The click classes: commands are imported when called, and every command takes the global options too."""

import importlib
import re
import sys
from contextlib import suppress
from typing import Any, Final, NoReturn

import click
from click.shell_completion import CompletionItem

from tierkeeper.cli.support import streams
from tierkeeper.cli.support.interruption import interruptible
from tierkeeper.cli.support.state import State
from tierkeeper_client.errors import InvalidInput, TierkeeperError

_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")  # how Python represents undecodable bytes


def _choose_output(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(State).output.as_json = value == "json"


def _be_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        ctx.ensure_object(State).output.quiet = True


def _be_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        ctx.ensure_object(State).output.verbose = True


def _show_utc(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        ctx.ensure_object(State).utc = True


def output_options() -> list[click.Option]:
    """Return ``-o``, ``-q``, ``-v`` and ``--utc``, which stand before or after the command's name."""
    return [
        click.Option(
            ["-o", "--output"],
            type=click.Choice(["table", "json"]),
            expose_value=False,
            callback=_choose_output,
            help="How to print data.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_be_quiet,
            help="No progress and no remarks.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_be_verbose,
            help="More detail; log lines and tracebacks on stderr.",
        ),
        click.Option(
            ["--utc"],
            is_flag=True,
            expose_value=False,
            callback=_show_utc,
            help="Times of tables in UTC, not in this machine's zone.",
        ),
    ]


class TierCommand(click.Command):
    """A command that also takes ``-o``, ``-q``, ``-v`` and ``--utc``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  click's own
        super().__init__(*args, **kwargs)
        self.params.extend(output_options())


class VerbedCommand(TierCommand):
    """A command with verbs of its own beside it: its first argument may be one of them.

    Such a word must be none that the command itself would take.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  click's own
        super().__init__(*args, **kwargs)
        self.verbs: dict[str, click.Command] = {}

    def verb(self, command: click.Command) -> click.Command:
        """Add a verb: a decorator of its command."""
        self.verbs[str(command.name)] = command
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401  click's own
    ) -> click.Context:
        """Return the context of the verb where the arguments begin with one, else the command's own."""
        verb = self.verbs.get(args[0]) if args else None
        if verb is None:
            return super().make_context(info_name, args, parent, **extra)
        return verb.make_context(f"{info_name} {verb.name}", args[1:], parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the verbs."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.get_short_help_str(limit=100)) for name, verb in self.verbs.items()])
        super().format_epilog(ctx, formatter)


class TierGroup(click.Group):
    """A group of such commands."""

    command_class = TierCommand
    group_class = type


class LazyGroup(TierGroup):
    """The root group: commands are imported on use, and their errors become one line and an exit code.

    ``lazy`` maps a command's name to (``module:attribute``, its one-line help).
    """

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:  # noqa: ANN401  click's own
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give the context its state first: as a command of ``celery`` it comes with Celery's own object."""
        streams.replace_unprintable()
        if not isinstance(ctx.obj, State):
            ctx.obj = State()
        try:
            return super().parse_args(ctx, args)
        except OSError as error:  # of the help
            if streams.closed(error):
                ctx.exit(streams.CLOSED)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is the order of the help."""
        return [*self._lazy, *(name for name in super().list_commands(ctx) if name not in self._lazy)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  the table names commands only
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that is not there is told with those that are called like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self._lazy, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_target, text) in self._lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands' names without importing them."""
        names = [
            CompletionItem(name, help=text) for name, (_, text) in self._lazy.items() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own
        """Run the command; a signal that ends it, and a TierkeeperError, become one line on stderr and an exit code."""
        with interruptible() as interruption:
            try:
                return self._invoke(ctx)
            except click.exceptions.Exit:
                raise
            except (Exception, KeyboardInterrupt) as error:
                if not interruption.explains(error):
                    if isinstance(error, OSError) and streams.closed(error):
                        ctx.exit(streams.CLOSED)
                    refused = streams.explained(error) if isinstance(error, OSError) else None
                    if refused is None:
                        raise
                    self._end(ctx, refused)
                with suppress(OSError):
                    shown = ctx.ensure_object(State).output
                    reached = "" if shown.reached is None else f" ({shown.reached})"
                    shown.warn(f"stopped{reached}; nothing more was done")
                ctx.exit(interruption.exit_code)
            finally:
                if (remark := streams.remark()) is not None:
                    ctx.ensure_object(State).output.say(remark)

    def _invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own
        try:
            result = super().invoke(ctx)
        except TierkeeperError as error:
            self._end(ctx, error)
        except UnicodeEncodeError as error:
            if not _NOT_UTF8.search(error.object):
                raise
            refused = InvalidInput(
                field="the command line",
                value=error.object[error.start : error.end],
                problem="it has bytes that are no UTF-8",
                fix="Write names as UTF-8 text.",
            )
            self._end(ctx, refused)
        else:
            sys.stdout.flush()  # what a full device refuses is told here, not when the interpreter ends
            return result

    def _end(self, ctx: click.Context, error: TierkeeperError) -> NoReturn:
        shown = ctx.ensure_object(State).output
        with suppress(OSError):  # standard error may be as full
            if shown.verbose:
                shown.err.print_exception()
            shown.error(error)
        ctx.exit(error.exit_code)
