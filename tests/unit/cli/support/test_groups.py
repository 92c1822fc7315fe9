"""The root of the commands."""

import click
import pytest
from click.testing import CliRunner

from tierkeeper.cli.main import run
from tierkeeper.cli.support import params
from tierkeeper.cli.support.groups import LazyGroup
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.cli.support.state import State


@pytest.mark.parametrize(("typed", "meant"), [("stoer", "store"), ("explian", "explain"), ("lifecyle", "lifecycle")])
def test_a_mistyped_command_is_told_what_was_meant(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that are called like it are named, though none of them is loaded."""
    assert run([typed]) == 2
    assert meant in capsys.readouterr().err.partition("No such command")[2]


def test_who_stops_a_command_is_told_how_far_it_came() -> None:
    """The last progress stands in the line about the stop."""

    @click.command()
    @click.pass_obj
    def long(state: State) -> None:
        with state.output.progress("moving", total=5) as advance:
            advance(2)
            raise KeyboardInterrupt

    group = LazyGroup("tier")
    group.add_command(long)
    stopped = CliRunner().invoke(group, ["long"])
    assert stopped.exit_code == 130
    assert "stopped (moving: 2 of 5); nothing more was done" in stopped.stderr


@pytest.mark.parametrize(("limit", "length", "code"), [("2000", 1500, 0), ("100", 101, 4), ("100", 100, 0)])
def test_a_reason_is_as_long_as_the_settings_allow(
    limit: str, length: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not longer, and not shorter; the error shows its beginning."""

    @click.command()
    @click.option("--reason", type=params.REASON)
    @pass_session
    def decide(_session: Session, *, reason: str) -> None:
        click.echo(len(reason))

    monkeypatch.setenv("TIERKEEPER_LIMITS__REASON", limit)
    group = LazyGroup("tier")
    group.add_command(decide)
    done = CliRunner().invoke(group, ["decide", "--reason", "x" * length])
    assert done.exit_code == code, done.stderr
    refused = CliRunner().invoke(group, ["decide", "--reason", "x" * 500 + "\n"])
    assert (refused.exit_code, len(refused.stderr) < 400) == (2, True)
