"""The command line: ``tierkeeper …``, and the same commands as ``celery -A worker.app tier …``."""

import gc
import sys
from io import StringIO
from pathlib import Path
from typing import Final

import click

from tierkeeper.cli.support import output, streams
from tierkeeper.cli.support.groups import LazyGroup, output_options
from tierkeeper.cli.support.state import State
from tierkeeper_client import texts

INTERRUPTED = 130
_ALLOCATED: Final = 200_000  # objects between two collections: what is imported is as many, and no garbage

COMMANDS: dict[str, tuple[str, str]] = {
    "store": ("tierkeeper.cli.commands.store:store", "Store files as artifacts."),
    "get": ("tierkeeper.cli.commands.get:get", "Read an artifact into a file or to stdout, verified."),
    "ls": ("tierkeeper.cli.commands.ls:ls", "List tenants' artifacts below a path."),
    "find": ("tierkeeper.cli.commands.find:find", "Find artifacts by name, tag, tier, state, age or content."),
    "show": ("tierkeeper.cli.commands.show:show", "Show one artifact and its copies."),
    "explain": ("tierkeeper.cli.commands.explain:explain", "Say why an artifact is where it is, and what comes next."),
    "promote": ("tierkeeper.cli.commands.promote:promote", "Move artifacts to a tier, until their next phase."),
    "archive": ("tierkeeper.cli.commands.archive:archive", "Move artifacts to the coldest tier, for good."),
    "restore": ("tierkeeper.cli.commands.restore:restore", "Bring artifacts back to the hottest tier."),
    "purge": ("tierkeeper.cli.commands.purge:purge", "Delete artifacts; gone after the undo window."),
    "undelete": ("tierkeeper.cli.commands.undelete:undelete", "Take a purge back while the undo window lasts."),
    "lifecycle": ("tierkeeper.cli.commands.lifecycle:lifecycle", "Run, plan or sum up the lifecycle."),
    "policy": ("tierkeeper.cli.commands.policy:policy", "Apply, show, compare, test, import and remove policies."),
    "stats": ("tierkeeper.cli.commands.stats:stats", "Count copies and bytes by tier."),
    "events": ("tierkeeper.cli.commands.events:events", "Read or export the audit log."),
    "runs": ("tierkeeper.cli.commands.runs:runs", "List sweeps and bulk jobs; approve or reject them."),
    "health": ("tierkeeper.cli.commands.health:health", "Say whether the work gets done, and how late."),
    "parked": ("tierkeeper.cli.commands.parked:parked", "List, retry or skip what is stuck: artifacts and messages."),
    "deletes": ("tierkeeper.cli.commands.deletes:deletes", "Switch physical deletes off and on."),
    "verify": ("tierkeeper.cli.commands.verify:verify", "Read copies back and check their checksums."),
    "reconcile": ("tierkeeper.cli.commands.reconcile:reconcile", "Compare the catalog and the stores both ways."),
    "catalog": ("tierkeeper.cli.commands.catalog:catalog", "Dump the catalog, make it again, or downgrade it."),
    "doctor": ("tierkeeper.cli.commands.doctor:doctor", "Ask whether the invariants hold; accept a restored catalog."),
    "settings": (
        "tierkeeper.cli.commands.settings:settings",
        "Print the effective settings and where each comes from.",
    ),
    "init": ("tierkeeper.cli.commands.init:init", "Make or upgrade the catalog and the tiers."),
    "up": ("tierkeeper.cli.commands.up:up", "Run worker, Beat and Flower here."),
    "demo": ("tierkeeper.cli.commands.demo:demo", "See real files go through the tiers in half a minute."),
}


@click.group(
    "tier",  # its name as a command of `celery`
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_TIERKEEPER_COMPLETE=bash_source tierkeeper)"',
    params=output_options(),
)
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of the embedded state.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="TOML file with settings.")
@click.version_option(package_name="tierkeeper", prog_name="tierkeeper")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, config: Path | None) -> None:
    """Keep stored things in the right place for their age, provably."""
    state = ctx.ensure_object(State)
    state.home, state.config = home, config


def main() -> None:
    """Run the command line of this process and exit with its code."""
    gc.set_threshold(_ALLOCATED)
    code = run(sys.argv[1:])
    gc.freeze()  # the interpreter would look at every object once more before it ends: a sixth of the CPU of `ls`
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line, print its output and errors, and return its exit code."""
    state = State()
    try:
        result = cli.main(args=arguments, prog_name="tierkeeper", standalone_mode=False, obj=state)
    except click.ClickException as error:
        _show_usage(state, error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):  # before the command began: later ones are an exit code already
        state.output.warn("stopped; nothing more was done")
        return INTERRUPTED
    except OSError as error:  # of the help: those of a command are an exit code already
        refused = streams.explained(error)
        if refused is None:
            raise
        state.output.error(refused)
        return refused.exit_code
    except Exception as error:  # noqa: BLE001  the outermost handler: it prints a line instead of a traceback
        if state.output.verbose:
            state.output.err.print_exception()
        state.output.warn(f"unexpected error: {type(error).__name__}: {error} (run again with -v for where)")
        return 1
    return result if isinstance(result, int) else 0


def _show_usage(state: State, error: click.ClickException) -> None:
    if state.output.as_json:
        shown = {"error": "Usage", "message": error.format_message(), "exit_code": error.exit_code}
        click.echo(output.to_json(shown), err=True)
    else:
        shown_text = StringIO()
        error.show(shown_text)
        click.echo(texts.plain(shown_text.getvalue()), nl=False, err=True)
