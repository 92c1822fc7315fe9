"""Questions: yes, no, no terminal, no standard input at all."""

import io
import os
import pty
import re
import sys
from pathlib import Path

import click
import pytest

from tierkeeper.base.errors import AnswerMissing
from tierkeeper.cli.support import questions

COMMANDS = Path(questions.__file__).parents[1]


def at(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Make ``text`` standard input, which is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_yes_and_no_come_through_a_pipe_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of `yes | tierkeeper purge …`; any other answer aborts."""
    at(monkeypatch, "y\n")
    questions.confirm("Do it?")
    at(monkeypatch, "n\n")
    with pytest.raises(click.Abort):
        questions.confirm("Do it?")


def test_a_missing_answer_names_the_option_that_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input at its end, or closed: an error of its own, with the exit code of bad input."""
    for stdin in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(AnswerMissing, match=r"'Do it\?'.*--force") as caught:
            questions.confirm("Do it?", option="--force")
        assert caught.value.exit_code == 4


def test_ctrl_d_at_a_terminal_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sits there was asked, and left."""
    user, shown = pty.openpty()
    os.write(user, b"\x04")
    with os.fdopen(shown, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(click.Abort):
            questions.confirm("Do it?")
    os.close(user)


def test_every_question_is_asked_here() -> None:
    """No command asks by click itself: a cron job would get a bare "stopped" from it."""
    files = sorted(COMMANDS.rglob("*.py"))
    assert len(files) > 50
    assert [file.name for file in files if re.search(r"click\.(confirm|prompt)\(", file.read_text())] == [
        "questions.py"
    ]
